package mdcheck

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"
)

// TestingT is what of a *testing.T is needed here. A program that checks texts
// has no use for the package testing.
type TestingT[T any] interface {
	Helper()
	Context() context.Context
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
	Skip(args ...any)
	Run(name string, f func(T)) bool
}

// Test checks the documents of a folder and of those below it, with a subtest
// for each directive and one for what else a document says: its links, its
// names, its coverage. Commands are not run; `mdcheck -run` does that.
//
// With UPDATE=1 in the environment it rewrites what differs, as -fix does.
func Test[T TestingT[T]](t T, dir string) {
	t.Helper()
	repo, err := Open(dir, Options{Fix: os.Getenv("UPDATE") == "1"})
	if err != nil {
		t.Fatal(err)
	}
	defer repo.Close()
	documents, err := repo.Documents(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(documents) == 0 {
		t.Fatalf("there is no markdown in %s", dir)
	}
	for _, c := range repo.checkAll(t.Context(), documents) {
		test(t, c)
	}
}

// test makes the subtests of one document.
func test[T TestingT[T]](t T, c *check) {
	base := path.Base(c.path)
	ends := map[int]int{} // of the fences, by the line above them
	for i := range c.page.fences {
		f := &c.page.fences[i]
		ends[f.line-1] = lineOf(c.page.text, f.end)
	}
	rest := c.findings
	for i := range c.page.notes {
		n := &c.page.notes[i]
		if n.says == nil || n.says.kind == "document" {
			continue
		}
		var mine, others []Finding
		for _, f := range rest {
			if n.line <= f.Line && f.Line <= max(ends[n.last], n.last) {
				mine = append(mine, f)
			} else {
				others = append(others, f)
			}
		}
		rest = others
		t.Run(fmt.Sprintf("%s:%d %s", base, n.line, n.says.title()), func(t T) {
			tell(t, mine)
			if kind := n.says.kind; len(mine) == 0 && !c.options.Run && (kind == "run" || kind == "test") {
				t.Skip("it runs a command; mdcheck -run does that")
			}
		})
	}
	t.Run(base+" as a whole", func(t T) { tell(t, rest) })
}

func tell[T TestingT[T]](t T, findings []Finding) {
	for i := range findings {
		f := &findings[i]
		if f.Fixed {
			t.Logf("%s:%d: fixed: %s: %s", f.File, f.Line, f.Rule, f.Text)
			continue
		}
		t.Errorf("%s:%d: %s: %s\n%s", f.File, f.Line, f.Rule, f.Text, strings.TrimRight(f.Diff, "\n"))
	}
}
