package tasker_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

func TestEverythingThatDoesNotFitIsNamedWhenTheEngineIsMade(t *testing.T) {
	t.Parallel()
	type cart struct {
		Total int `json:"total"`
	}
	type input struct {
		Unknown   string             `context:"tiers"`
		WrongType int                `context:"tier"`
		NoStep    cart               `result:"prise"`
		NotBefore cart               `result:"later"`
		Optional  cart               `result:"mail"`
		Misspelt  struct{ Totl int } `result:"price"`
		NoInit    string             `initialization:"urll"`
		BadInit   int                `initialization:"url"`
		Two       int                `context:"tier" result:"price"`
		Untagged  int
		Good      cart `result:"price"`
	}
	_, err := tasker.New(tasker.Config{Store: memory.New(), Templates: []*template.Template{parse(t, `
task_handler: {callable: a}
input_schema: {type: object, properties: {tier: {type: string}}}
steps:
  - {name: price, handler: {callable: price}}
  - {name: mail, handler: {callable: mial}, optional: true}
  - {name: pay, handler: {callable: pay, initialization: {url: x}}, dependencies: [price, mail]}
  - {name: later, handler: {callable: a, method: undo}}`)}, Handlers: tasker.Handlers{
		"price": giving(nil), "mail": fine, "a": fine,
		"pay": tasker.Step(func(context.Context, input) (cart, error) { return cart{}, nil }),
	}})
	for _, want := range []string{
		"task_handler: a is a step, and a task handler is needed",
		`step mail: no handler is registered for "mial"; did you mean "mail"?`,
		`field Unknown: the input_schema declares no "tiers"; did you mean "tier"?`,
		"field WrongType does not fit the input_schema: string where integer is expected",
		`field NoStep: there is no step "prise"; did you mean "price"?`,
		"field NotBefore: pay does not depend on later",
		"field Optional: mail is optional and may have no result; make the field a pointer",
		`field NoInit: the handler's initialization has no "urll"; did you mean "url"?`,
		"field BadInit cannot be read from the initialization",
		"field Two has more than one source",
		"field Untagged has no tag",
		`step later: the handler a has no method "undo"`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the problems do not have %q", want)
		}
	}
	if strings.Contains(err.Error(), "field Good") {
		t.Errorf("what fits is named too:\n%v", err)
	}
	type misspelt struct {
		Cart struct {
			Totl int `json:"totl"`
		} `result:"price"`
	}
	_, err = tasker.New(tasker.Config{Store: memory.New(), Templates: []*template.Template{parse(t, "steps:\n  - {name: price, handler: {callable: price}}\n  - {name: pay, handler: {callable: pay}, dependencies: [price]}\n")}, Handlers: tasker.Handlers{
		"price": tasker.Step(func(context.Context, struct{}) (cart, error) { return cart{}, nil }),
		"pay":   tasker.Step(func(context.Context, misspelt) (cart, error) { return cart{}, nil }),
	}})
	if err == nil || !strings.Contains(err.Error(), `there is no "totl" in tasker_test.cart; did you mean "total"?`) {
		t.Errorf("a misspelt field of a result gives %v", err)
	}
}
