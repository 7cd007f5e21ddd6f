package tasker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

const oneStep = "steps: [{name: a, handler: {callable: a}}]"

func request(input any) tasker.Request {
	return tasker.Request{Namespace: "test", Name: "t", Context: input}
}

func TestARequestThatIsAtFaultIsRejectedWithACodeAndAPlace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, source string
		request      tasker.Request
		code, text   string
	}{
		{"an unknown template", "", tasker.Request{Namespace: "test", Name: "tt", Context: json.RawMessage(`{}`)}, tasker.CodeUnknownTemplate, `did you mean "test/t"?`},
		{"an unknown version", "", tasker.Request{Namespace: "test", Name: "t", Version: "9.9.9"}, tasker.CodeUnknownTemplate, "there is no template test/t@9.9.9; the newest of that name is 1.0.0"},
		{"input that breaks the schema", "input_schema: {properties: {n: {type: integer}}}\n", request(map[string]any{"n": "x"}), tasker.CodeInvalidInput, "/n"},
		{"input that is no object", "", request([]int{1}), tasker.CodeInvalidInput, "must be a JSON object"},
		{"input that is nothing", "", request(nil), tasker.CodeInvalidInput, "must be a JSON object"},
		{"keys that differ in case only", "", request(json.RawMessage(`{"a": {"n": 1, "N": 2}}`)), tasker.CodeInvalidInput, "/a"},
		{"a NUL", "", request(json.RawMessage(`{"a": ["\u0000"]}`)), tasker.CodeInvalidInput, "/a/0"},
		{"a number that explodes", "", request(json.RawMessage(`{"a": 1e131071}`)), tasker.CodeInvalidInput, "/a"},
		{"too much", "", request(map[string]string{"a": strings.Repeat("x", 1<<20)}), tasker.CodeInvalidInput, "too large"},
		{"no key where one is asked for", "identity_strategy: caller_provided\n", request(map[string]any{}), tasker.CodeKeyRequired, "give Request.IdempotencyKey"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, tt.source+oneStep, tasker.Handlers{"a": fine})
			_, err := s.Submit(t.Context(), tt.request)
			var rejected *tasker.Rejected
			if !errors.As(err, &rejected) || rejected.Code != tt.code || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("the error is %v, want %s with %q", err, tt.code, tt.text)
			}
			if rows, _ := s.Rows(t.Context(), tasker.Filter{}); len(rows) != 0 {
				t.Errorf("%d tasks were stored", len(rows))
			}
		})
	}
}

func TestAnEngineWithoutTemplatesSaysWhatASubmitNeeds(t *testing.T) {
	t.Parallel()
	engine, err := tasker.New(tasker.Config{Store: memory.New()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Submit(t.Context(), request(map[string]any{}))
	if want := "there is no template test/t; this engine was made without Config.Templates"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want one that says %s", err, want)
	}
}

func TestSubmittingNothingFindsThatATemplateWasChangedUnderItsVersion(t *testing.T) {
	t.Parallel()
	store := memory.New()
	production := func(c *tasker.Config) { c.Store, c.Environment = store, "production" }
	before := open(t, oneStep, tasker.Handlers{"a": fine}, production)
	if _, err := before.SubmitAll(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	changed := open(t, "on_failure: fail\n"+oneStep, tasker.Handlers{"a": fine}, production)
	if _, err := changed.SubmitAll(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "another text of test/t@1.0.0") {
		t.Errorf("the error is %v, want one that names the template", err)
	}
}

func TestWhatNoStoreKeepsIsRejectedWithItsPlaceApartFromItsFault(t *testing.T) {
	t.Parallel()
	s := open(t, oneStep, tasker.Handlers{"a": fine})
	_, err := s.Submit(t.Context(), request(json.RawMessage(`{"a": {"b": ["x", "\u0000"]}}`)))
	var rejected *tasker.Rejected
	if !errors.As(err, &rejected) || len(rejected.Errors) != 1 {
		t.Fatalf("the error is %v, want one violation", err)
	}
	if v := rejected.Errors[0]; v.Path != "/a/b/1" || strings.Contains(v.Message, v.Path) {
		t.Errorf("the violation is %q at %q", v.Message, v.Path)
	}
}

func TestAContextThatGrowsOverTheLimitWhenItIsEnrichedIsRejected(t *testing.T) {
	t.Parallel()
	handler := tasker.OnSubmit(func(context.Context, struct{}) (map[string]string, error) {
		return map[string]string{"more": "and more"}, nil
	})
	s := open(t, "task_handler: {callable: th}\n"+oneStep, tasker.Handlers{"a": fine, "th": handler})
	full := map[string]string{"a": strings.Repeat("x", 1<<20-len(`{"a":""}`))}
	var rejected *tasker.Rejected
	if _, err := s.Submit(t.Context(), request(full)); !errors.As(err, &rejected) || rejected.Code != tasker.CodeInvalidInput {
		t.Errorf("a full context that is added to gives %v", err)
	}
}

func TestAHandlerReadsAWholeNumberHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	type line struct {
		N int64 `json:"n"`
	}
	type sum struct {
		Sum int64   `json:"sum"`
		F   float64 `json:"f"`
	}
	adds := tasker.Step(func(_ context.Context, in struct {
		Lines []line  `context:"lines"`
		F     float64 `context:"f"`
	}) (sum, error) {
		out := sum{F: in.F}
		for _, l := range in.Lines {
			out.Sum += l.N
		}
		return out, nil
	})
	s := start(t, "input_schema: {properties: {f: {type: number}, lines: {type: array, items: {type: object, properties: {n: {type: integer}}}}}}\n"+oneStep, tasker.Handlers{"a": adds})
	for _, tt := range []struct{ input, result, code string }{
		{`{"lines": [{"n": 1}, {"n": 2.0}, {"n": 1e3}, {"n": 250e-1}], "f": 0.5}`, `{"sum":1028,"f":0.5}`, ""},
		{`{"lines": [{"n": -3.00}], "f": 1.0}`, `{"sum":-3,"f":1}`, ""},
		{`{"lines": [{"n": 9223372036854775808.0}]}`, "", tasker.CodeInput},
	} {
		submitted, err := s.Submit(t.Context(), request(json.RawMessage(tt.input)))
		if err != nil {
			t.Fatal(err)
		}
		step := s.await(submitted.ID).Steps[0]
		if string(step.Result) != tt.result || step.Error != nil && step.Error.Code != tt.code {
			t.Errorf("%s gives %s and %v, want %s%s", tt.input, step.Result, step.Error, tt.result, tt.code)
		}
	}
}

// A name is compared with all there are, letter by letter, and comes back in the
// error.
func TestANameThatNoneCanHaveIsNotLookedForLong(t *testing.T) {
	t.Parallel()
	const longest = 255
	name := strings.Repeat("x", longest)
	s := open(t, oneStep, tasker.Handlers{"a": fine}, func(c *tasker.Config) {
		other, err := template.Parse("other.yaml", []byte("name: "+name+"\nnamespace_name: test\nversion: 1.0.0\nsteps: [{name: "+name+", handler: {callable: a}}]"))
		if err != nil {
			t.Fatal(err)
		}
		c.Templates = append(c.Templates, other)
	})
	made, err := s.Submit(t.Context(), tasker.Request{Namespace: "test", Name: name, Context: map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	for _, long := range []string{name + "x", strings.Repeat("x", 1<<20)} {
		_, err := s.Submit(t.Context(), tasker.Request{Namespace: "test", Name: long, Context: map[string]any{}})
		var rejected *tasker.Rejected
		if !errors.As(err, &rejected) || rejected.Code != tasker.CodeUnknownTemplate || strings.Contains(err.Error(), "mean") || len(err.Error()) > 1000 {
			t.Errorf("a template that cannot be gives %.400v", err)
		}
		_, err = s.RetryStep(t.Context(), made.ID, long, ops)
		if !errors.Is(err, tasker.ErrNoStep) || strings.Contains(err.Error(), "mean") || len(err.Error()) > 1000 {
			t.Errorf("a step that cannot be gives %.400v", err)
		}
	}
}

func TestTheTaskHandlerEnrichesOrRejects(t *testing.T) {
	t.Parallel()
	type added struct {
		Priority string `json:"priority,omitempty"`
	}
	handler := tasker.OnSubmit(func(_ context.Context, in struct {
		Tier string `context:"tier"`
	}) (added, error) {
		switch in.Tier {
		case "banned":
			return added{}, tasker.Permanent("CUSTOMER_BANNED", "no")
		case "panic":
			panic("boom")
		}
		return added{Priority: "high"}, nil
	})
	s := open(t, "task_handler: {callable: th}\n"+oneStep, tasker.Handlers{"a": fine, "th": handler})
	submitted, err := s.Submit(t.Context(), request(map[string]any{"tier": "premium"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(s.task(submitted.ID).Context); got != `{"priority":"high","tier":"premium"}` {
		t.Errorf("the context is %s", got)
	}
	var rejected *tasker.Rejected
	if _, err := s.Submit(t.Context(), request(map[string]any{"tier": "banned"})); !errors.As(err, &rejected) || rejected.Code != "CUSTOMER_BANNED" {
		t.Errorf("a banned customer gives %v", err)
	}
	if _, err := s.Submit(t.Context(), request(map[string]any{"tier": "panic"})); err == nil || errors.As(err, &rejected) && rejected.Code == tasker.CodePanic || !strings.Contains(err.Error(), "boom") {
		t.Errorf("a handler that panics gives %v", err)
	}
}

func TestFiftySubmitsWithOneKeyMakeOneTask(t *testing.T) {
	t.Parallel()
	s := open(t, oneStep, tasker.Handlers{"a": fine})
	r := request(map[string]any{"n": 1})
	r.IdempotencyKey = "order-1"
	var mu sync.Mutex
	made := map[tasker.ID]int{}
	first := 0
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			submitted, err := s.Submit(t.Context(), r)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			made[submitted.ID]++
			if !submitted.Existing {
				first++
			}
		})
	}
	all.Wait()
	if len(made) != 1 || first != 1 {
		t.Errorf("%d tasks were made, %d submits think that theirs is the first", len(made), first)
	}
	r.Context = map[string]any{"n": 2}
	var rejected *tasker.Rejected
	if _, err := s.Submit(t.Context(), r); !errors.As(err, &rejected) || rejected.Code != tasker.CodeKeyMismatch {
		t.Errorf("the key with other input gives %v", err)
	}
}

func TestStrictTakesEqualInputForOneTaskUntilItHasFailed(t *testing.T) {
	t.Parallel()
	s := open(t, "identity_strategy: strict\n"+oneStep, tasker.Handlers{"a": fine})
	one, err := s.Submit(t.Context(), request(json.RawMessage(`{"a": 1, "b": 2}`)))
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.Submit(t.Context(), request(json.RawMessage(`{"b":2,"a":1}`)))
	if err != nil || two.ID != one.ID || !two.Existing {
		t.Errorf("equal input in another order gives %+v, %v", two, err)
	}
	if err := s.Cancel(t.Context(), one.ID, tasker.By{}); err != nil {
		t.Fatal(err)
	}
	if three, err := s.Submit(t.Context(), request(json.RawMessage(`{"a": 1, "b": 2}`))); err != nil || three.Existing {
		t.Errorf("after it was cancelled the same input gives %+v, %v", three, err)
	}
}

func TestTheNewestVersionIsTakenWhereNoneIsNamed(t *testing.T) {
	t.Parallel()
	old := parse(t, oneStep)
	newest, err := template.Parse("new.yaml", []byte(strings.Replace("namespace_name: test\nversion: 1.0.0\nname: t\n"+oneStep, "1.0.0", "1.10.0", 1)))
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, oneStep, tasker.Handlers{"a": fine}, func(c *tasker.Config) { c.Templates = []*template.Template{newest, old} })
	for version, want := range map[string]string{"": "1.10.0", "1.0.0": "1.0.0"} {
		r := request(map[string]any{})
		r.Version = version
		submitted, err := s.Submit(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.task(submitted.ID); got.Version != want || got.CorrelationID != got.ID.String() {
			t.Errorf("%q gives version %s with correlation id %s", version, got.Version, got.CorrelationID)
		}
	}
}

func TestOfManyRequestsOneWhoseKeyStandsForOtherInputIsRefusedAlone(t *testing.T) {
	t.Parallel()
	var seen, told []tasker.ID
	s := open(t, oneStep, tasker.Handlers{"a": fine}, func(c *tasker.Config) {
		c.Observe = func(row tasker.Row, _ tasker.Record) { seen = append(seen, row.ID) }
		c.TraceSubmit = func(context.Context, string, string) (string, func(tasker.ID, error)) {
			return "", func(id tasker.ID, err error) {
				if id.IsZero() == (err == nil) {
					t.Errorf("of a submit it is told %s and %v", id, err)
				}
				told = append(told, id)
			}
		}
	})
	with := func(key string, n int) tasker.Request {
		r := request(map[string]int{"n": n})
		r.IdempotencyKey = key
		return r
	}
	first, err := s.Submit(t.Context(), with("order-1", 1))
	if err != nil {
		t.Fatal(err)
	}
	all, err := s.SubmitAll(t.Context(), []tasker.Request{with("", 2), with("order-1", 3), with("order-1", 1), with("order-1", 4), with("", 5)})
	var refused *tasker.Rejected
	if !errors.As(err, &refused) || refused.Code != tasker.CodeKeyMismatch || !strings.HasPrefix(err.Error(), "request 2 of 5: ") {
		t.Fatalf("the error is %v", err)
	}
	if len(all) != 5 || all[0].ID.IsZero() || all[1] != (tasker.Submission{}) || all[2] != (tasker.Submission{ID: first.ID, Existing: true}) || all[3] != (tasker.Submission{}) || all[4].ID.IsZero() {
		t.Fatalf("the answers are %v", all)
	}
	for _, id := range []tasker.ID{all[0].ID, all[4].ID} {
		s.task(id) // it is there
	}
	if want := []tasker.ID{first.ID, all[0].ID, all[4].ID}; !slices.Equal(seen, want) {
		t.Errorf("the observer saw %v, want %v", seen, want)
	}
	if want := []tasker.ID{first.ID, all[0].ID, {}, first.ID, {}, all[4].ID}; !slices.Equal(told, want) {
		t.Errorf("told are %v, want %v", told, want)
	}
}

// What a worker learns of environments, and what submits look up, is the same;
// the race detector sees who does so unguarded.
func TestARequestMayNameAVersionWhileTasksOfOtherEnvironmentsAreClaimed(t *testing.T) {
	t.Parallel()
	const environments = 50
	store := memory.New()
	handlers := tasker.Handlers{"a": fine}
	const source = `steps: [{name: a, handler: {callable: a}}]`
	var ids []tasker.ID
	for i := range environments {
		elsewhere := open(t, source, handlers, func(c *tasker.Config) { c.Store, c.Environment = store, fmt.Sprintf("e%d", i) })
		ids = append(ids, elsewhere.submit())
	}
	s := start(t, source, handlers, func(c *tasker.Config) { c.Store = store })
	for range 10 * environments {
		_, err := s.Submit(t.Context(), tasker.Request{Namespace: "test", Name: "t", Version: "1.0.0", Context: "no object"})
		var rejected *tasker.Rejected
		if !errors.As(err, &rejected) || rejected.Code != tasker.CodeInvalidInput {
			t.Fatalf("the request gets %v", err)
		}
	}
	for _, id := range ids {
		if task := s.await(id); task.State != tasker.TaskComplete {
			t.Errorf("a task of another environment is %s", task.State)
		}
	}
}

// unheard is a store that gives no hints.
type unheard struct{ tasker.Store }

func (unheard) Listen(func(tasker.Hint)) (stop func()) { return func() {} }

func TestASubmitIsObservedBeforeWhatFollowsWhereItsOwnEngineGoesOnWithIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		seen := map[tasker.ID][]int64{}
		s := start(t, oneStep, tasker.Handlers{"a": fine}, func(c *tasker.Config) {
			c.Store, c.Poll = unheard{memory.New()}, time.Hour
			c.Observe = func(row tasker.Row, r tasker.Record) {
				if r.Seq == 1 {
					time.Sleep(time.Second) // it takes its time, and whoever submits waits for it
				}
				mu.Lock()
				defer mu.Unlock()
				seen[row.ID] = append(seen[row.ID], r.Seq)
			}
		})
		synctest.Wait() // until it has asked the store for work
		all, err := s.SubmitAll(t.Context(), []tasker.Request{request(map[string]any{}), request(map[string]any{})})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		for _, made := range all {
			if got := seen[made.ID]; len(got) < 2 || !slices.IsSorted(got) {
				t.Errorf("the records are seen as %v", got)
			}
		}
	})
}
