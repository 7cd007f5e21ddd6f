package template

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
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

func TestABombIsRefusedBeforeItGoesOff(t *testing.T) {
	var laughs, nested strings.Builder
	laughs.WriteString("metadata:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&laughs, "  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	for i := range 9000 {
		nested.WriteString(strings.Repeat(" ", min(i, 100)) + "a:\n")
	}
	var misspelt strings.Builder
	misspelt.WriteString("name: t\nnamespace_name: n\nversion: 1.0.0\nsteps:\n")
	for i := range 1000 {
		fmt.Fprintf(&misspelt, "- {name: a%0240d, handler: {callable: a}, dependencies: [b%0240d]}\n", i, i)
	}
	bombs := map[string]string{
		"long names, all of them misspelt": misspelt.String(),
		"a billion laughs":                 laughs.String(),
		"an anchor in itself":              "metadata: &a {b: *a}\n",
		"a merge of itself":                "metadata: &a\n  <<: *a\n",
		"many brackets":                    strings.Repeat("[", 200_000),
		"deep flow maps":                   strings.Repeat("{a: ", 5000) + strings.Repeat("}", 5000),
		"deep block maps":                  nested.String(),
		"a file too large":                 "# " + strings.Repeat("x", MaxSize),
	}
	for name, bomb := range bombs {
		t.Run(name, func(t *testing.T) {
			took := time.Hour
			for try := 0; try < 10 && took > 100*time.Millisecond; try++ { // others use the machine too: the quickest counts
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				began := time.Now()
				_, err := Parse("bomb.yaml", []byte(bomb))
				took = min(took, time.Since(began))
				runtime.ReadMemStats(&after)
				if err == nil {
					t.Fatal("it was accepted")
				}
				if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
					t.Fatalf("it took %d MB", used>>20)
				}
			}
			if limit := 100 * time.Millisecond; took > limit && !watchedForRaces() {
				t.Errorf("it took %v, more than %v", took, limit)
			}
		})
	}
}

// watchedForRaces says that the race detector slows everything down.
func watchedForRaces() bool {
	info, _ := debug.ReadBuildInfo()
	return info != nil && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
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

func TestTenThousandStepsLoadQuickly(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("name: big\nnamespace_name: test\nversion: 1.0.0\nsteps:\n")
	for i := range MaxSteps {
		fmt.Fprintf(&b, "- {name: s%d, handler: {callable: x}%s}\n", i, map[bool]string{true: fmt.Sprintf(", dependencies: [s%d]", i-1)}[i > 0])
	}
	template, err := Parse("big.yaml", []byte(b.String()))
	if err != nil || len(template.Steps) != MaxSteps {
		t.Fatal(err)
	}
	b.WriteString("- {name: one_more, handler: {callable: x}}\n")
	if _, err := Parse("big.yaml", []byte(b.String())); err == nil || !strings.Contains(err.Error(), "at most 10000 steps") {
		t.Errorf("one step more gives %v", err)
	}
}

// Each of these was a matter of seconds, or of minutes, while something was
// looked for among all others.
func TestALargeFileIsReadOrRefusedQuickly(t *testing.T) {
	t.Parallel()
	many := func(n int, line string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, line, i)
		}
		return b.String()
	}
	const head, oneStep = "name: t\nnamespace_name: n\nversion: 1.0.0\n", "steps: [{name: a, handler: {callable: a}}]\n"
	for _, tt := range []struct{ name, source, want string }{
		{"many environments", head + oneStep + "environments:\n" + many(40_000, "  e%d: {}\n"), ""},
		{"many keys to merge", head + oneStep + "metadata:\n  a: &a\n" + many(40_000, "    e%d: 1\n") + "  b:\n    <<: *a\n" + many(10_000, "    f%d: 1\n"), ""},
		{"all steps changed again and again", head + "steps:\n" + many(4000, "- {name: s%d, handler: {callable: a}}\n") +
			"environments:\n  e:\n    steps:\n" + strings.Repeat("    - {name: ALL}\n", 30_000), "environments.e.steps[12]: with this the environments change steps more than 50000 times"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			took := time.Hour
			for try := 0; try < 10 && took > 500*time.Millisecond && (try == 0 || !watchedForRaces()); try++ { // others use the machine too: the quickest counts
				began := time.Now()
				_, err := Parse("large.yaml", []byte(tt.source))
				took = min(took, time.Since(began))
				if (err == nil) != (tt.want == "") || err != nil && !strings.HasSuffix(err.Error(), tt.want) {
					t.Fatalf("it gives %.200v", err)
				}
			}
			if limit := 500 * time.Millisecond; took > limit && !watchedForRaces() {
				t.Errorf("it took %v, more than %v", took, limit)
			}
		})
	}
}

// An engine asks so for each result that a handler takes.
func TestTheAncestorsOfTenThousandStepsAreFoundQuickly(t *testing.T) {
	t.Parallel()
	g := Graph{Parents: make([][]int, MaxSteps)}
	for i := 1; i < MaxSteps; i++ {
		g.Parents[i] = []int{i - 1}
	}
	took := time.Hour
	for try := 0; try < 5 && took > time.Second && (try == 0 || !watchedForRaces()); try++ { // others use the machine too: the quickest counts
		began := time.Now()
		for i := 1; i < MaxSteps; i++ {
			if !g.IsAncestor(0, i) || g.IsAncestor(i, i) {
				t.Fatalf("step 0 is an ancestor of %d: %t; %d is one of itself: %t", i, g.IsAncestor(0, i), i, g.IsAncestor(i, i))
			}
		}
		took = min(took, time.Since(began))
	}
	if limit := time.Second; took > limit && !watchedForRaces() {
		t.Errorf("it took %v, more than %v", took, limit)
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

func TestASchemaNamesThePathOfEachViolation(t *testing.T) {
	t.Parallel()
	template := mustParse(t, fmt.Sprintf(oneStep, `input_schema: {
  type: object, required: [email, items], properties: {
    email: {type: string, format: email},
    items: {type: array, minItems: 1, items: {type: object, required: [id], properties: {id: {type: integer, minimum: 1}}}},
    "a/b": {enum: [x, y]}}},`, ""))
	tests := []struct {
		document string
		paths    []string
	}{
		{`{"email": "a@example.com", "items": [{"id": 1}]}`, nil},
		{`{}`, []string{"/email", "/items"}},
		{`{"email": "nobody", "items": []}`, []string{"/email", "/items"}},
		{`{"email": "a@example.com", "items": [{"id": 1}, {}, {"id": 0}, {"id": "x"}, {"id": 1.5}]}`, []string{"/items/1/id", "/items/2/id", "/items/3/id", "/items/4/id"}},
		{`{"email": "a@example.com", "items": [{"id": 12345678901234567890}], "a/b": "z"}`, []string{"/a~1b"}},
		{`[]`, []string{""}},
		{`nonsense`, []string{""}},
	}
	for _, tt := range tests {
		var paths []string
		for _, v := range template.InputSchema.Check([]byte(tt.document)) {
			paths = append(paths, v.Path)
			if v.Message == "" {
				t.Errorf("%s: no message at %s", tt.document, v.Path)
			}
		}
		if diff := cmp.Diff(tt.paths, paths); diff != "" {
			t.Errorf("%s:\n%s", tt.document, diff)
		}
	}
}

func TestDraft7AndDraft2020AreBothUnderstood(t *testing.T) {
	t.Parallel()
	for draft, source := range map[string]string{
		"draft 7":       `{$schema: "http://json-schema.org/draft-07/schema#", definitions: {n: {type: integer}}, properties: {a: {$ref: "#/definitions/n"}, l: {items: [{type: string}], additionalItems: false}}}`,
		"draft 2020-12": `{$schema: "https://json-schema.org/draft/2020-12/schema", $defs: {n: {type: integer}}, properties: {a: {$ref: "#/$defs/n"}, l: {prefixItems: [{type: string}], items: false}}}`,
	} {
		schema := mustParse(t, fmt.Sprintf(oneStep, "input_schema: "+source+",", "")).InputSchema
		if v := schema.Check([]byte(`{"a": 1, "l": ["x"]}`)); len(v) != 0 {
			t.Errorf("%s refuses what fits: %v", draft, v)
		}
		if v := schema.Check([]byte(`{"a": "x", "l": ["x", "y"]}`)); len(v) != 2 {
			t.Errorf("%s finds %v, want two violations", draft, v)
		}
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

func TestTheWaitGrowsByTheBackoffsShape(t *testing.T) {
	t.Parallel()
	want := map[Backoff][]time.Duration{
		NoBackoff:   {0, 0, 0, 0, 0, 0},
		Linear:      {100, 200, 300, 400, 500, 600},
		Exponential: {100, 200, 400, 800, 1000, 1000},
		Fibonacci:   {100, 100, 200, 300, 500, 800},
	}
	for backoff, waits := range want {
		r := Retry{Backoff: backoff, Base: 100 * time.Millisecond, Max: time.Second}
		for i, w := range waits {
			if got := r.Wait(i+1, 0, 0, nil); got != w*time.Millisecond {
				t.Errorf("%s: failure %d waits %v, want %v", backoff, i+1, got, w*time.Millisecond)
			}
		}
	}
}

func TestNoWaitOverflowsOrPassesItsCap(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	chance := rand.New(rand.NewPCG(seed, 0))
	for range 100_000 {
		r := Retry{
			Backoff: []Backoff{NoBackoff, Linear, Exponential, Fibonacci}[chance.IntN(4)],
			Base:    time.Duration(chance.Int64N(int64(time.Hour))),
			Jitter:  chance.Float64(),
		}
		r.Max = r.Base + time.Duration(chance.Int64N(int64(24*time.Hour)))
		n := 1 + chance.IntN(math.MaxInt32)
		if chance.IntN(2) == 0 {
			n = 1 + chance.IntN(100)
		}
		if d := r.Wait(n, 0, 0, chance); d < 0 || d > r.Max {
			t.Fatalf("seed %d: failure %d of %+v waits %v", seed, n, r, d)
		}
		if d := r.Wait(n, time.Hour, 20*time.Millisecond, chance); d > 20*time.Millisecond {
			t.Fatalf("seed %d: with every wait capped at 20 ms, failure %d of %+v waits %v", seed, n, r, d)
		}
	}
}

func TestJitterSpreadsTheWaitsToBothSides(t *testing.T) {
	t.Parallel()
	r := Retry{Backoff: Linear, Base: time.Second, Max: time.Minute, Jitter: 0.1}
	chance := rand.New(rand.NewPCG(7, 7))
	low, high := time.Hour, time.Duration(0)
	for range 1000 {
		d := r.Wait(1, 0, 0, chance)
		low, high = min(low, d), max(high, d)
	}
	if low < 900*time.Millisecond || low > 920*time.Millisecond || high > 1100*time.Millisecond || high < 1080*time.Millisecond {
		t.Errorf("waits of a second with 10 %% jitter lie between %v and %v", low, high)
	}
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
