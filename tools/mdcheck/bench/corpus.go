package main

import (
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
)

// corpus is the work: documents that show methods of Go files, the same in the
// dialect of each tool. It depends on nothing but these numbers.
type corpus struct {
	documents, snippets, sources int
	stale                        int // how many of the snippets are wrong
}

// method is one that documents show.
type method struct {
	symbol, pattern, text string
}

type goSource struct {
	name, text string
	methods    []method
}

// dialect is how a tool writes that a block shows a method.
type dialect struct {
	name      string
	directive func(s *goSource, m *method) string
}

var dialects = []dialect{
	{"mdcheck", func(s *goSource, m *method) string {
		return fmt.Sprintf("<!-- mdcheck src=../src/%s sym=%s -->\n", s.name, m.symbol)
	}},
	{"embedmd", func(s *goSource, m *method) string {
		return fmt.Sprintf("[embedmd]:# (../src/%s go /%s/ /^}/)\n", s.name, m.pattern)
	}},
}

var words = strings.Fields(`the request handler loads an order checks the stock
level and writes one event per line because a retry must not charge twice so the
key is stored before the call returns and the reader can follow each step from
the queue to the ledger without leaving this page`)

// write puts a dialect's corpus into a folder: go.mod, src and posts.
func (c corpus) write(dir string, d dialect) error {
	r := rand.New(rand.NewSource(1))
	files := map[string]string{"go.mod": "module example.com/corpus\n\ngo 1.26\n"}
	var sources []goSource
	for i := range c.sources {
		s := makeSource(r, i, c.snippets)
		sources = append(sources, s)
		files["src/"+s.name] = s.text
	}
	n, total := 0, c.documents*c.snippets
	for i := range c.documents {
		var b strings.Builder
		fmt.Fprintf(&b, "# Post %d\n\n", i)
		for j := range c.snippets {
			s := &sources[(i*7+j*13)%len(sources)]
			m := &s.methods[j]
			code := m.text
			if n*c.stale/total != (n+1)*c.stale/total {
				code = strings.Replace(code, "-= qty", "-= qty + 1", 1)
			}
			n++
			fmt.Fprintf(&b, "## Step %d\n\n%s\n%s```go\n%s```\n\n", j, prose(r, 60+r.Intn(60)), d.directive(s, m), code)
		}
		files[fmt.Sprintf("posts/p%03d.md", i)] = strings.TrimRight(b.String(), "\n") + "\n"
	}
	for name, text := range files {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func prose(r *rand.Rand, n int) string {
	var b strings.Builder
	column := 0
	for range n {
		w := words[r.Intn(len(words))]
		switch {
		case column+len(w) > 76:
			b.WriteByte('\n')
			column = 0
		case column > 0:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(w)
		column += len(w)
	}
	return b.String() + ".\n"
}

// makeSource is a Go file with methods of 8 to 24 lines.
func makeSource(r *rand.Rand, i, methods int) goSource {
	s := goSource{name: fmt.Sprintf("f%03d.go", i)}
	owner := fmt.Sprintf("Repo%03d", i)
	var b strings.Builder
	fmt.Fprintf(&b, "// Package src is made for a measurement (file %d).\npackage src\n\nimport \"fmt\"\n\n", i)
	fmt.Fprintf(&b, "// %s holds what is there.\ntype %s struct{ n map[string]int }\n", owner, owner)
	for j := range methods {
		name := fmt.Sprintf("Step%02d", j)
		fmt.Fprintf(&b, "\n// %s is step %d of %s.\n", name, j, owner)
		begin := b.Len()
		fmt.Fprintf(&b, "func (r *%s) %s(key string, qty int) (int, error) {\n", owner, name)
		for range 2 + r.Intn(6) {
			fmt.Fprintf(&b, "\tif r.n[key] < qty+%d {\n", r.Intn(900))
			fmt.Fprintf(&b, "\t\treturn 0, fmt.Errorf(\"%s: short of %%d\", qty)\n\t}\n", words[r.Intn(len(words))])
		}
		b.WriteString("\tr.n[key] -= qty\n\treturn r.n[key], nil\n}\n")
		s.methods = append(s.methods, method{
			symbol:  fmt.Sprintf("(*%s).%s", owner, name),
			pattern: fmt.Sprintf(`func \(r \*%s\) %s\(`, owner, name),
			text:    b.String()[begin:],
		})
	}
	s.text = b.String()
	return s
}
