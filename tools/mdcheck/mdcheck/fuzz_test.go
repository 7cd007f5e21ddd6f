package mdcheck

import (
	"bytes"
	"strings"
	"testing"
)

// A directive that is understood can be written down again, and is the same.
func FuzzDirective(f *testing.F) {
	for _, seed := range []string{
		` src=a.go sym=(*Shop).Charge `, ` src="a b.go" stmt="if err :=" sym=f `, ` skip reason='it''s' `, ` run dir=. timeout=60s scrub=duration,uuid `,
		` yaml=t.yaml path=.steps[name=pay]`, ` test="TestX/a b" value=n pkg=../x`, ` document allow="A B" sources=under`, `src="a\"b\\c"`, `src==`, `"src"=a`, ` src=a.go sym="`, "\tsrc=a\n\tsym=b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := parseDirective(text, 0)
		if err != nil {
			if d != nil {
				t.Fatalf("%q is broken (%s) and understood", text, err)
			}
			if strings.TrimSpace(err.Error()) == "" {
				t.Fatalf("%q is broken, and nothing says why", text)
			}
			return
		}
		again := d.kind
		for i, v := range d.values {
			if v.at.start < 0 || v.at.end > len(text) || v.at.start > v.at.end {
				t.Fatalf("%q: the value of %s is at %v", text, v.key, v.at)
			}
			if i > 0 {
				again += " " + v.key
			}
			if v.text != "" {
				again += "=" + quoted(v.text)
			}
		}
		other, err := parseDirective(again, 0)
		if err != nil {
			t.Fatalf("%q is understood, and %q, which says the same, is not: %s", text, again, err)
		}
		for _, v := range d.values {
			if other.get(v.key) != v.text {
				t.Fatalf("%q has %s=%q; written as %q it has %q", text, v.key, v.text, again, other.get(v.key))
			}
		}
	})
}

// Whatever the bytes are, the scan ends, and what it finds is where it says;
// and a fence that is filled holds then what it was filled with.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{
		"# A\n\n```go\nx\n```\n", "- a\n  > ~~~\n  > b\n  > ~~~\n", "<!-- mdcheck src=a.go -->\r\n```go\r\n```\r\n", "a `b` [c](d \"e\") ![f](<g h>)\n=====\n",
		"1. x\n\n\t```\n\ty\n\t```\n", "<!-- mdcheck test=T value=v -->5<!-- /mdcheck -->", "<pre>\n```\n</pre>\n> <!-- x\n> -->\n", "[a]: b\n[c][a] [d]\n\n| a | `b` |\n|---|---|\n| [x](y) | ` |\n",
		"---\nx: y\n---\n* * *\n- - -\n- \n  ```\n", "````\n```\n````\n~~~\n", "<!--", "`", "[](", "<a href='x'><img src=\"y\">", "\\`\\[\n    code\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p := scan(text)
		in := func(what string, s span) {
			if s.start < 0 || s.start > s.end || s.end > len(text) {
				t.Fatalf("%q: %s is at %v", text, what, s)
			}
		}
		lines := 1 + bytes.Count(text, []byte("\n"))
		for _, n := range p.notes {
			in("a comment", n.whole)
			in("its text", n.body)
			in("what it shows", n.shown)
			if n.line < 1 || n.line > n.last || n.last > lines {
				t.Fatalf("%q: a comment is at lines %d to %d", text, n.line, n.last)
			}
			_, _ = parseDirective(string(text[n.body.start:n.body.end]), n.body.start)
		}
		for _, s := range p.names {
			in("code", s)
		}
		for _, l := range p.links {
			in("a link", span{l.at, l.at})
		}
		_ = slugs(p.headings)
		end := 0
		for i := range p.fences {
			fence := &p.fences[i]
			in("a fence", span{fence.start, fence.end})
			in("its text", fence.body)
			if fence.start < end || fence.body.start < fence.start || fence.body.end > fence.end {
				t.Fatalf("%q: a fence from %d to %d holds %v, and one before ends at %d", text, fence.start, fence.end, fence.body, end)
			}
			if fence.line != lineOf(text, fence.start) {
				t.Fatalf("%q: a fence at %d is said to be at line %d", text, fence.start, fence.line)
			}
			end = fence.end
			_ = p.code(fence)
			_ = p.language(fence)
		}
		fill(t, p)
	})
}

// fill puts a text into each fence that could have a directive, and reads the
// document again.
func fill(t *testing.T, p *page) {
	want := []byte("func f() {\n\n\treturn \"```\"\n}\n")
	c := &check{page: p}
	for i := range p.fences {
		if p.fences[i].tail > 0 {
			c.replace(&p.fences[i], want)
		}
	}
	if len(c.edits) == 0 {
		return
	}
	fixed := c.fixed()
	again := scan(fixed)
	if len(again.fences) != len(p.fences) {
		t.Fatalf("%q has %d fences, and %d when they are filled: %q", p.text, len(p.fences), len(again.fences), fixed)
	}
	for i := range again.fences {
		if f := &again.fences[i]; f.tail > 0 {
			if got := again.code(f); !bytes.Equal(got, want) {
				t.Fatalf("%q, filled: %q, has %q in it", p.text, fixed, got)
			}
		}
	}
}
