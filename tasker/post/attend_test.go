package post_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
)

const parcel = `
name: parcel
namespace_name: mail
version: 1.0.0
input_schema: {type: object, required: [to]}
steps:
  - name: carry
    handler: {callable: carry}
    publishes_events: [{name: parcel.carried, delivery_mode: broadcast, schema: {type: object, properties: {to: {type: string}}}}]
`

// listening is a post that wants to hear of its domain events. It notes in
// which order things happen.
func listening(happened *[]string, refusal error) posttest.Runner[map[string]any] {
	return posttest.Runner[map[string]any]{Post: post.Post{
		Name:      "00-mail",
		Templates: []fs.FS{fstest.MapFS{"templates/parcel.yaml": {Data: []byte(parcel)}}},
		Task:      "mail/parcel",
		Example:   []byte(`{"to": "Oslo"}`),
		Handlers: func(*post.World) tasker.Handlers {
			return tasker.Handlers{"carry": tasker.Step(func(context.Context, struct{}) (map[string]string, error) {
				return map[string]string{"to": "Oslo"}, nil
			})}
		},
		Attend: func(_ context.Context, w *post.World, e *tasker.Engine) (func([]*tasker.Task), error) {
			*happened = append(*happened, "attend")
			heard := ""
			_, err := e.Subscribe(tasker.Subscription{Name: "clerk", Pattern: "parcel.*", Handle: func(_ context.Context, e tasker.DomainEvent) error {
				heard = e.Name + string(e.Payload)
				return nil
			}})
			return func(tasks []*tasker.Task) {
				for _, t := range tasks {
					*happened = append(*happened, t.State.String())
				}
				*happened = append(*happened, "heard "+heard)
			}, errors.Join(err, refusal)
		},
		Notes:    func(*post.World, tasker.ID) map[string]any { *happened = append(*happened, "notes"); return nil },
		Conclude: func(*post.World) []string { return []string{"one parcel", "all in all"} },
	}}
}

func TestAPostMayHearOfItsEventsFromTheFirstToTheLast(t *testing.T) {
	t.Parallel()
	var happened []string
	o := listening(&happened, nil).Run(t, "")
	want := []string{"attend", "complete", `heard parcel.carried{"to":"Oslo"}`, "notes"}
	if o.Exit != 0 || !slices.Equal(happened, want) {
		t.Errorf("exit %d, it went %q, want %q\n%s", o.Exit, happened, want, o.Stderr)
	}
	if _, end, _ := strings.Cut(o.Stdout, "\none parcel\nall in all\n"); !strings.HasPrefix(end, "\nNext: ") {
		t.Errorf("what concludes the run is not between its tasks and the suggestion:\n%s", o.Stdout)
	}
}

func TestAPostThatAttendsLeavesOnceAlsoWhereTheRunIsRefused(t *testing.T) {
	t.Parallel()
	var happened []string
	o := listening(&happened, nil).Run(t, `{}`, "-input", "-")
	if want := []string{"attend", "heard "}; o.Exit != 2 || !slices.Equal(happened, want) {
		t.Errorf("exit %d, it went %q, want %q\n%s", o.Exit, happened, want, o.Stderr)
	}
	happened = nil
	o = listening(&happened, errors.New("the door is shut")).Run(t, "")
	if o.Exit != 1 || !strings.Contains(o.Stderr, "the door is shut") {
		t.Errorf("exit %d\n%s", o.Exit, o.Stderr)
	}
}

func TestARunThatFailsOnItsWayReportsNoTasksAndSaysWhyInOneLine(t *testing.T) {
	t.Parallel()
	var happened []string
	for name, attend := range map[string]func(context.Context, *post.World, *tasker.Engine) (func([]*tasker.Task), error){
		"before": func(context.Context, *post.World, *tasker.Engine) (func([]*tasker.Task), error) {
			return nil, errors.Join(errors.New("the port is taken"), errors.New("and so is the next"))
		},
		"while it works": func(ctx context.Context, _ *post.World, e *tasker.Engine) (func([]*tasker.Task), error) {
			return func([]*tasker.Task) { _ = e.Stop(context.WithoutCancel(ctx)) }, e.Start(ctx) // which the run does itself
		},
	} {
		failing := listening(&happened, nil)
		failing.Post.Attend = attend
		o := failing.Run(t, "", "-json")
		if o.Exit != 1 || o.Stdout != "{\n  \"tasks\": []\n}\n" {
			t.Errorf("%s: exit %d with the report %s", name, o.Exit, o.Stdout)
		}
		if strings.Count(o.Stderr, "\n") != 1 || !strings.HasPrefix(o.Stderr, "00-mail: ") {
			t.Errorf("%s: it says %q", name, o.Stderr)
		}
	}
}

func TestAWrongStepIsAnsweredByEachStepOnce(t *testing.T) {
	t.Parallel()
	var happened []string
	two := listening(&happened, nil)
	two.Post.Templates = []fs.FS{fstest.MapFS{
		"templates/parcel.yaml":   {Data: []byte(parcel)},
		"templates/parcel_2.yaml": {Data: []byte(strings.Replace(parcel, "1.0.0", "2.0.0", 1))},
	}}
	if o := two.Run(t, "", "-fail", "cary=1"); o.Exit != 2 || !strings.Contains(o.Stderr, `there is no step "cary"; this post has carry;`) {
		t.Errorf("exit %d: %s", o.Exit, o.Stderr)
	}
}
