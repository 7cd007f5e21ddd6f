// Package plantings grades the tests: each planting is a bug that is put into
// a copy of the code, and a test that must turn red for it. The code itself is
// never touched: `go test -overlay` compiles the copy in its place. A promise
// whose breach no test sees is not kept by anything.
//
// It takes minutes, since each planting compiles anew, so it is asked for:
//
//	TASKER_PLANTINGS=1 go test ./tasker/plantings
//	TASKER_PLANTINGS=1 go test ./tasker/plantings -v -run 'TestEveryPlantedBugTurnsItsTestRed/a_dead'
//
// Without that only the anchors are looked at: a planting whose text is no
// longer in the code says so at once.
package plantings

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// planting is a bug, and the test that sees it.
type planting struct {
	name    string // what the code then does wrong
	changes []change
	test    test
}

// change puts a text in place of one that occurs exactly once in a file.
type change struct{ file, now, instead string }

// test is a test by the folder of its package and its name, with those of its
// subtests after slashes.
type test struct{ folder, name string }

const root = "../.."

func TestEveryPlantingFitsTheCode(t *testing.T) {
	t.Parallel()
	for _, p := range plantings {
		if _, err := p.plant(); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

func TestEveryPlantedBugTurnsItsTestRed(t *testing.T) {
	if testing.Short() || os.Getenv("TASKER_PLANTINGS") != "1" {
		t.Skip("takes minutes: TASKER_PLANTINGS=1 asks for it")
	}
	free := make(chan struct{}, 2) // each go test has work for a processor
	bounded := func(t *testing.T, name string, f func(t *testing.T)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			free <- struct{}{}
			defer func() { <-free }()
			f(t)
		})
	}
	t.Run("without them the tests pass", func(t *testing.T) {
		for folder, tests := range byFolder(plantings) {
			bounded(t, folder, func(t *testing.T) { passes(t, folder, tests) })
		}
	})
	if t.Failed() {
		return
	}
	for _, p := range plantings {
		bounded(t, p.name, p.turnsItsTestRed)
	}
}

func byFolder(plantings []planting) map[string][]string {
	tests := map[string][]string{}
	for _, p := range plantings {
		if f := p.test.folder; !slices.Contains(tests[f], p.test.name) {
			tests[f] = append(tests[f], p.test.name)
		}
	}
	return tests
}

// passes runs the tests of a folder on the code as it is.
func passes(t *testing.T, folder string, tests []string) {
	out, err := goTest(t, folder, tests, "-v")
	for _, name := range tests {
		if !tells(out, "PASS", name) {
			t.Errorf("%s does not pass, or is not there any more", name)
		}
	}
	if err != nil || t.Failed() {
		t.Errorf("go test: %v\n%s", err, out)
	}
}

func (p *planting) turnsItsTestRed(t *testing.T) {
	copies, err := p.plant()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	out, err := goTest(t, p.test.folder, []string{p.test.name}, "-overlay", overlay(t, copies))
	switch {
	case err == nil:
		t.Errorf("the bug survives: %s does not see it\n%s", p.test.name, out)
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]"):
		t.Errorf("the planting does not compile\n%s", out)
	case !tells(out, "FAIL", p.test.name) && !ranOutOfTime(out, p.test.name):
		t.Errorf("go test fails, but not by %s: %v\n%s", p.test.name, err, out)
	default:
		t.Logf("red after %v: %s", time.Since(began).Round(100*time.Millisecond), p.test.name)
	}
}

// plant gives the changed files' texts by their paths below root.
func (p *planting) plant() (map[string]string, error) {
	copies := map[string]string{}
	for _, c := range p.changes {
		text, ok := copies[c.file]
		if !ok {
			read, err := os.ReadFile(filepath.Join(root, c.file))
			if err != nil {
				return nil, err
			}
			text = string(read)
		}
		if n := strings.Count(text, c.now); n != 1 {
			return nil, fmt.Errorf("the code has changed, plant it anew: %s has %d times, not once:\n%s", c.file, n, c.now)
		}
		copies[c.file] = strings.Replace(text, c.now, c.instead, 1)
	}
	return copies, nil
}

// overlay writes the copies, and the file that tells the go command of them.
// It covers embedded files too.
func overlay(t *testing.T, copies map[string]string) string {
	t.Helper()
	replace := map[string]string{}
	folder := t.TempDir()
	for i, file := range slices.Sorted(maps.Keys(copies)) {
		original, err := filepath.Abs(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		replace[original] = filepath.Join(folder, fmt.Sprintf("%d%s", i, filepath.Ext(file)))
		write(t, replace[original], []byte(copies[file]))
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "overlay.json")
	write(t, path, list)
	return path
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ownLimit is how long a test may hang for a planting before it ends itself.
const ownLimit = time.Minute

// goTest runs tests of one package, and gives what they print.
func goTest(t *testing.T, folder string, tests []string, flags ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // compiling on a busy machine is no test's fault
	defer cancel()
	args := []string{"test", "-vet=off", "-count=1", "-timeout", ownLimit.String(), "-run", pattern(tests)}
	c := exec.CommandContext(ctx, "go", append(append(args, flags...), "./"+folder)...)
	c.Dir, c.WaitDelay = root, time.Second
	c.Env = os.Environ()
	if strings.HasSuffix(folder, "postgres") {
		// One server for all, which must be there before they are asked.
		c.Env = append(c.Env, "TASKER_TEST_DATABASE_URL="+taskertest.PostgresURL(t))
	}
	out, err := c.CombinedOutput()
	return string(out), err
}

// pattern names tests so that -run takes them and no others.
func pattern(tests []string) string {
	var all []string
	for _, name := range tests {
		parts := strings.Split(name, "/")
		for i := range parts {
			parts[i] = "^" + regexp.QuoteMeta(parts[i]) + "$"
		}
		all = append(all, strings.Join(parts, "/"))
	}
	return strings.Join(all, "|")
}

// tells says whether a test's own line has an outcome.
func tells(out, outcome, name string) bool {
	return strings.Contains(out, "--- "+outcome+": "+strings.ReplaceAll(name, " ", "_")+" (")
}

// ranOutOfTime says whether a test hung until its own deadline.
func ranOutOfTime(out, name string) bool {
	_, running, timedOut := strings.Cut(out, "panic: test timed out")
	return timedOut && strings.Contains(running, "\t"+strings.ReplaceAll(name, " ", "_"))
}
