package template

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

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
// On a slow machine both are slow: what grows with the square of a file's length
// takes fifty times as long as its YAML.
func TestALargeFileIsReadOrRefusedInAFewTimesWhatItsYAMLTakes(t *testing.T) {
	t.Parallel()
	const times = 10
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
			took, parsing := time.Hour, time.Hour
			for try := 0; try == 0 || try < 10 && took > times*parsing; try++ { // others use the machine too: the quickest counts
				began := time.Now()
				_, err := Parse("large.yaml", []byte(tt.source))
				took = min(took, time.Since(began))
				if (err == nil) != (tt.want == "") || err != nil && !strings.HasSuffix(err.Error(), tt.want) {
					t.Fatalf("it gives %.200v", err)
				}
				began = time.Now()
				if err := yaml.Unmarshal([]byte(tt.source), new(yaml.Node)); err != nil {
					t.Fatal(err)
				}
				parsing = min(parsing, time.Since(began))
			}
			if took > times*parsing {
				t.Errorf("it took %v, and YAML alone %v", took, parsing)
			}
		})
	}
}

// An engine asks so for each result that a handler takes. There are more ways
// from the last step to the first than could be gone, one by one.
func TestTheAncestorsOfTenThousandStepsAreFoundWithAMarkForEach(t *testing.T) {
	g := Graph{Parents: make([][]int, MaxSteps)}
	for i := 1; i < MaxSteps; i++ {
		g.Parents[i] = []int{i - 1, max(0, i-2)}
	}
	const last = MaxSteps - 1
	allocations := testing.AllocsPerRun(10, func() {
		if !g.IsAncestor(0, last) || g.IsAncestor(last, last-1) {
			t.Error("the first step is an ancestor of the last, and the last is one of none")
		}
	})
	if allocations > 60 { // for a list that grows; a map of the marks takes twice as many again
		t.Errorf("two answers take %v allocations", allocations)
	}
}
