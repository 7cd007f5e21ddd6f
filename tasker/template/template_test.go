package template

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestAllMistakesOfAFileComeAtOnceWithTheirLines(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("testdata/mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse("mistakes.yaml", source)
	golden := "testdata/mistakes.golden"
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, _ := os.ReadFile(golden)
	if diff := cmp.Diff(string(want), fmt.Sprintln(err)); diff != "" {
		t.Errorf("the problems differ:\n%s", diff)
	}
	var problems Problems
	if !errors.As(err, &problems) || len(problems) < 10 {
		t.Fatalf("there are %d problems, want more than ten", len(problems))
	}
	for _, p := range problems {
		if p.File != "mistakes.yaml" || p.Line == 0 || p.Key == "" || p.Message == "" {
			t.Errorf("the problem %+v does not say where it is", p)
		}
	}
}

// equalTemplates compares what templates say, not how it was written.
func equalTemplates(a, b *Template) string {
	return cmp.Diff(a, b, cmpopts.IgnoreUnexported(Template{}), cmp.Comparer(func(a, b *Schema) bool {
		if a == nil || b == nil {
			return a == b
		}
		return cmp.Equal(a.body, b.body)
	}))
}

const symbolKeys = `
:name: process_order
:namespace_name: ecommerce
:version: 1.0.0
:task_handler:
  :callable: Ecommerce::OrderProcessingHandler
  :initialization: { handler config }
:input_schema: { JSON Schema }
:steps:
  - :name: validate_cart
    :handler:
      :callable: Ecommerce::StepHandlers::ValidateCartHandler
      :initialization: { validation_timeout: 10, ":nested": {":key": value} }
    :retry:
      :retryable: true
      :limit: 3
      :backoff: :exponential
:environments:
  :test:
    :steps:
      - :name: ALL
        :timeout_seconds: 3
`

func TestSymbolKeysAndPlainKeysLoadEqual(t *testing.T) {
	t.Parallel()
	plain := strings.NewReplacer(" :", " ", "\n:", "\n", "\":n", "\"n", "\":k", "\"k", "- :", "- ").Replace(symbolKeys)
	a, b := mustParse(t, symbolKeys), mustParse(t, plain)
	if diff := equalTemplates(a, b); diff != "" {
		t.Errorf("they differ:\n%s\n%s", diff, plain)
	}
	if diff := equalTemplates(a.In("test"), b.In("test")); diff != "" {
		t.Errorf("in the test environment they differ:\n%s", diff)
	}
	if got := a.Steps[0].Handler.Initialization; got["nested"].(map[string]any)["key"] != "value" {
		t.Errorf("the initialization is %v", got)
	}
}

const oneStep = `{name: one, namespace_name: test, version: 1.0.0, %s steps: [{name: a, handler: {callable: a}, %s}]}`

func TestEverySpellingOfARetryRuleMeansTheSame(t *testing.T) {
	t.Parallel()
	want := Retry{Retryable: true, Limit: 5, Backoff: Linear, Base: 2 * time.Second, Max: 30 * time.Second, Jitter: 0.1}
	for _, retry := range []string{
		"{limit: 5, backoff: linear, backoff_base_ms: 2000, max_backoff_ms: 30000}",
		`{max_attempts: 5, backoff: ":linear", initial_delay: 2, max_delay: 30}`,
		`{":retry_limit": 5, ":backoff": linear, ":initial_delay": 2.0, ":max_delay": 30}`,
	} {
		got := mustParse(t, fmt.Sprintf(oneStep, "", "retry: "+retry)).Steps[0].Retry
		if got != want {
			t.Errorf("%s is %+v, want %+v", retry, got, want)
		}
	}
	if got := mustParse(t, fmt.Sprintf(oneStep, "", "optional: false")).Steps[0].Retry; got != DefaultRetry {
		t.Errorf("a step without a rule has %+v, want %+v", got, DefaultRetry)
	}
	if got := mustParse(t, fmt.Sprintf(oneStep, "", "retry: {backoff_base_ms: 60000}")).Steps[0].Retry; got.Max != time.Minute {
		t.Errorf("a first wait of a minute is cut to %v", got.Max)
	}
}

func TestAMistakeIsNamedWithWhatToDo(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, top, step, want string }{
		{"a step key", "", "retires: 3", `steps[0].retires: unknown key; did you mean "retry"?`},
		{"a top key", "identity_stratgy: strict,", "", `did you mean "identity_strategy"?`},
		{"a key far from any", "zzzzzzzzzz: 1,", "", `zzzzzzzzzz: unknown key; the nearest is`},
		{"a key and its alias", "", "retry: {limit: 3, max_attempts: 4}", "max_attempts: is given twice, before as limit"},
		{"a key with and without its colon", "", `optional: true, ":optional": false`, "optional: is given twice, before as optional"},
		{"one wait in two units", "", "retry: {initial_delay: 1, backoff_base_ms: 1000}", "say the same thing"},
		{"a limit of nothing", "", "retry: {limit: 0}", "must be a whole number from 1 to 100, not 0"},
		{"a limit in words", "", "retry: {limit: three}", `must be a whole number from 1 to 100, not "three"`},
		{"half an attempt", "", "retry: {limit: 1.5}", "must be a whole number from 1 to 100, not 1.5"},
		{"a cap below the base", "", "retry: {backoff_base_ms: 1000, max_backoff_ms: 10}", "is shorter than the first"},
		{"a backoff that is not one", "", "retry: {backoff: fibonaci}", `did you mean "fibonacci"?`},
		{"no timeout", "", "timeout_seconds: 0", "leave the key out for no limit"},
		{"a timeout that is over before it begins", "", "timeout_seconds: 0.0000000001", "leave the key out for no limit"},
		{"a list where a mapping is due", "", "retry: [1]", "must be a mapping of keys, not a list"},
		{"a mapping where a list is due", "", "dependencies: {a: 1}", "must be a list, not a mapping"},
		{"a step on itself", "", "dependencies: [a]", "a depends on itself"},
		{"a kind of step that is not there", "", "type: decision", `steps of type "decision" are not supported`},
		{"a condition that is not one", "", "publishes_events: [{name: a.b, condition: sometimes}]", "must be one of success, failure"},
		{"an event without a dot", "", "publishes_events: [{name: created}]", "with dots between them"},
		{"an event twice", "", "publishes_events: [{name: a.b}, {name: a.b}]", "publishes a.b twice"},
		{"a version that is a number", "", "", "such as 1.0.0"},
		{"a schema of nothing", "input_schema: 3,", "", "must be a JSON Schema, not 3"},
		{"a schema that leaves the file", "input_schema: {$ref: 'https://example.com/s.json'},", "", "only references that begin with # are followed"},
		{"an environment for nobody", "environments: {test: {steps: [{name: b, timeout_seconds: 1}]}},", "", `there is no step "b"`},
		{"an environment that breaks a rule", "environments: {test: {steps: [{name: a, retry: {limit: 0}}]}},", "", "environments.test.steps[0].retry.limit: must be"},
		{"an environment's misspelt key", "environments: {test: {stps: []}},", "", `did you mean "steps"?`},
		{"an unknown tag", "description: !python/object x,", "", "the tag !python/object is not known here"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			source := fmt.Sprintf(oneStep, tt.top, tt.step)
			if tt.name == "a version that is a number" {
				source = strings.Replace(source, "1.0.0", "1.0", 1)
			}
			_, err := Parse("t.yaml", []byte(source))
			var problems Problems
			if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the problems are\n%v\nwant one with %q", err, tt.want)
			}
		})
	}
}

func TestACycleIsShownWithItsPath(t *testing.T) {
	t.Parallel()
	_, err := Parse("t.yaml", []byte(`
name: c
namespace_name: test
version: 1.0.0
steps:
  - {name: start, handler: {callable: x}}
  - {name: a, handler: {callable: x}, dependencies: [start, c]}
  - {name: b, handler: {callable: x}, dependencies: [a]}
  - {name: c, handler: {callable: x}, dependencies: [b]}
  - {name: end, handler: {callable: x}, dependencies: [c]}
`))
	if err == nil || !strings.Contains(err.Error(), "the steps wait for each other: a -> c -> b -> a") {
		t.Errorf("the problem is %v", err)
	}
}

func TestAnEnvironmentOverridesFieldByField(t *testing.T) {
	t.Parallel()
	template := mustParse(t, `
name: env
namespace_name: test
version: 1.0.0
steps:
  - name: a
    handler: {callable: a, initialization: {url: base, deep: {kept: 1, changed: 1}}}
    retry: {limit: 5, backoff: linear, backoff_base_ms: 500}
    timeout_seconds: 30
  - {name: b, handler: {callable: b}}
environments:
  test:
    max_retry_after_ms: 50
    steps:
      - {name: ALL, timeout_seconds: 1}
      - {name: a, retry: {limit: 2}, handler: {initialization: {deep: {changed: 2}}}}
  production: {}
`)
	in := template.In("test")
	a := in.Steps[0]
	if a.Timeout != time.Second || in.Steps[1].Timeout != time.Second || in.MaxRetryWait != 50*time.Millisecond || in.Environment != "test" {
		t.Errorf("in test the timeouts are %v and %v, waits end at %v", a.Timeout, in.Steps[1].Timeout, in.MaxRetryWait)
	}
	if a.Retry.Limit != 2 || a.Retry.Backoff != Linear || a.Retry.Base != 500*time.Millisecond {
		t.Errorf("the rule is %+v; only its limit is overridden", a.Retry)
	}
	want := map[string]any{"url": "base", "deep": map[string]any{"kept": 1, "changed": 2}}
	if diff := cmp.Diff(want, a.Handler.Initialization); diff != "" {
		t.Errorf("the initialization differs:\n%s", diff)
	}
	if base := template.Steps[0]; base.Timeout != 30*time.Second || base.Handler.Initialization["deep"].(map[string]any)["changed"] != 1 {
		t.Errorf("the base was changed: %+v", base)
	}
	if diff := equalTemplates(template, template.In("production")); strings.Count(diff, "\n+") != 1 {
		t.Errorf("production overrides something:\n%s", diff)
	}
	if got := template.Environments(); !cmp.Equal(got, []string{"production", "test"}) {
		t.Errorf("the environments are %v", got)
	}
}

func TestAliasesAreFollowedAndMergesMerged(t *testing.T) {
	t.Parallel()
	template := mustParse(t, `
name: aliases
namespace_name: test
version: 1.0.0
steps:
  - name: a
    handler: &h {callable: x, initialization: {n: 1}}
    retry: &r {limit: 7, jitter: 0}
  - name: b
    handler: *h
    retry: {<<: *r, limit: 2}
`)
	if got := template.Steps[1]; got.Handler.Callable != "x" || got.Retry.Limit != 2 || got.Retry.Jitter != 0 {
		t.Errorf("b is %+v", got)
	}
}

func TestAFileThatIsNoTemplateIsAClearProblem(t *testing.T) {
	t.Parallel()
	for source, want := range map[string]string{
		"":                             "t.yaml:1: the file is empty",
		"# nothing\n":                  "t.yaml:1: the file is empty",
		"- a\n":                        "must be a mapping of keys, not a list",
		"a: [1\nb: 2\n":                "this is not YAML",
		"name: a\n---\nname: b\n":      "a second document begins here",
		"? [a]\n: b\n":                 "a key must be a plain word",
		"name: a\nname: b\n":           "name: is given twice",
		"\xff\xfe\x00":                 "this is not YAML",
		"name: \"\\ud800\"\n":          "",
		"steps: []\n":                  "there must be at least one step",
		"metadata:\n  a: 1\n  :a: 2\n": "metadata.a: is given twice",
		"metadata: {a: .nan}":          "cannot be written as JSON",
		"steps: [{name: a, <<: 3}":     "",
	} {
		_, err := Parse("t.yaml", []byte(source))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives\n%v\nwant %q", source, err, want)
		}
	}
}

// The examples of Semantic Versioning 2.0.0, item 11, among others.
func TestVersionsAreNewerInTheOrderOfSemanticVersioning(t *testing.T) {
	t.Parallel()
	versions := []string{
		"0.9.9", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
		"1.0.0", "1.0.0+build.7", "1.2.0", "1.10.0-rc.1", "1.10.0", "10.0.0",
	}
	for i, older := range versions {
		for j, newer := range versions {
			a, b := &Template{Version: older}, &Template{Version: newer}
			if got := b.NewerThan(a); got != (j > i) {
				t.Errorf("%s is newer than %s: %t", newer, older, got)
			}
		}
	}
}

func TestLoadTemplatesCollectsTheProblemsOfAllFiles(t *testing.T) {
	t.Parallel()
	good := fmt.Sprintf(oneStep, "", "")
	fsys := fstest.MapFS{
		"templates/a.yaml": {Data: []byte(good)},
		"templates/b.yaml": {Data: []byte(strings.Replace(good, "1.0.0", "1.1.0", 1))},
		"bad/c.yaml":       {Data: []byte(strings.Replace(good, "name: one", "nam: one", 1))},
		"bad/d.yaml":       {Data: []byte(good)},
		"bad/e.yaml":       {Data: []byte(good)},
	}
	if templates, err := Load(fsys, "templates/*.yaml"); err != nil || len(templates) != 2 || !templates[1].NewerThan(templates[0]) {
		t.Errorf("%v, %v", templates, err)
	}
	_, err := Load(fsys, "bad/*.yaml", "none/*.yaml")
	for _, want := range []string{"bad/c.yaml:1", "bad/e.yaml: test/one@1.0.0 is in bad/d.yaml already", "none/*.yaml: no file matches"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the problems do not have %q:\n%v", want, err)
		}
	}
}

func TestATemplateDrawsItselfTheSameEveryTime(t *testing.T) {
	t.Parallel()
	const want = `flowchart LR
    a[a]
    b[b]
    c([c])
    a --> b
    b --> c
`
	for range 10 {
		if diff := cmp.Diff(want, mustParse(t, chain).Mermaid()); diff != "" {
			t.Fatalf("the picture differs:\n%s", diff)
		}
	}
	wide := strings.Replace(chain, "steps:\n", "steps:\n"+strings.Join([]string{
		"  - {name: end, handler: {callable: x}}", "  - {name: e, handler: {callable: x}}", "  - {name: f, handler: {callable: x}}", "  - {name: g, handler: {callable: x}}\n",
	}, "\n"), 1)
	if got := mustParse(t, wide).Mermaid(); !strings.HasPrefix(got, "flowchart TD\n") || !strings.Contains(got, "step_end[end]") {
		t.Errorf("seven steps, one of them called end, are drawn as\n%s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{symbolKeys, chain, fmt.Sprintf(oneStep, "", ""), "a: &a [*a]", "? [x]", "!!binary x", "<<: {}", "\xff", "steps: [{<<: [1]}]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		template, err := Parse("fuzz.yaml", source)
		if err != nil {
			var problems Problems
			if !errors.As(err, &problems) || len(problems) == 0 {
				t.Fatalf("the error is %T %v", err, err)
			}
			return
		}
		if cycle := findCycle(template.graph); cycle != nil {
			t.Fatalf("a cycle was accepted: %v", cycle)
		}
		for _, name := range append(template.Environments(), "other") {
			template.In(name).Mermaid()
		}
		again, err := Parse("fuzz.yaml", template.Source())
		if err != nil || again.Hash() != template.Hash() {
			t.Fatalf("read again it gives %v", err)
		}
	})
}

// mustParse gives a template from its YAML.
func mustParse(t testing.TB, source string) *Template {
	t.Helper()
	template, err := Parse("test.yaml", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// chain is c after b after a; c is optional.
const chain = `
name: chain
namespace_name: test
version: 1.0.0
steps:
  - {name: a, handler: {callable: a}}
  - {name: b, handler: {callable: b}, dependencies: [a]}
  - {name: c, handler: {callable: c}, dependencies: [b], optional: true}
`
