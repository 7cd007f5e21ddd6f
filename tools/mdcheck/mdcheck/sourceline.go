package mdcheck

import (
	"bytes"
	"fmt"
	"strings"
)

// A source line stands under a Go fence, in documents that ask for it, and
// says where the code is:
//
//	<sub>[validate_cart.go, ValidateCart, lines 12 to 40](validate_cart.go#L12-L40)</sub>

// sourceLine holds the line under a fence to the place of its excerpt.
func (c *check) sourceLine(f *fence, d *directive, e *excerpt) {
	if !c.front.sources {
		return
	}
	want := whereabouts(d.get("src"), e)
	at, have := c.lineUnder(f)
	c.held[at.start+len("<sub>")] = true
	if have == want {
		return
	}
	ending := "\n"
	if f.crlf {
		ending = "\r\n"
	}
	if have != "" {
		c.find(f.line, SourceLine, "the line under the block says %s; it is %s", have, want).Mendable = true
		c.edit(at, want)
		return
	}
	c.find(f.line, SourceLine, "the line under the block is missing: %s", want).Mendable = true
	text := ending + f.lead + want
	if c.textFollows(f.end) {
		text += ending + strings.TrimRight(f.lead, " \t")
	}
	c.edit(span{f.end, f.end}, text)
}

func whereabouts(file string, e *excerpt) string {
	name := ""
	if e.decl != nil {
		name = e.decl.Name + ", "
	}
	first, last := e.line(), e.lastLine()
	if first == last {
		return fmt.Sprintf("<sub>[%s, %sline %d](%s#L%d)</sub>", file, name, first, file, first)
	}
	return fmt.Sprintf("<sub>[%s, %slines %d to %d](%s#L%d-L%d)</sub>", file, name, first, last, file, first, last)
}

// lineUnder is the source line directly under a fence, "" when there is none.
func (c *check) lineUnder(f *fence) (at span, text string) {
	rest := c.page.text[f.end:]
	n := bytes.IndexByte(rest, '\n')
	if n < 0 {
		return span{}, ""
	}
	line := rest[n+1:]
	if m := bytes.IndexByte(line, '\n'); m >= 0 {
		line = line[:m]
	}
	begin := bytes.Index(line, []byte("<sub>["))
	bare := bytes.TrimRight(line, " \t\r")
	if begin < 0 || !bytes.HasSuffix(bare, []byte(")</sub>")) || len(bytes.Trim(line[:begin], "> \t")) > 0 {
		return span{}, ""
	}
	start := f.end + n + 1
	return span{start + begin, start + len(bare)}, string(bare[begin:])
}

// textFollows says whether the next line would become part of the source line.
func (c *check) textFollows(end int) bool {
	rest := c.page.text[end:]
	n := bytes.IndexByte(rest, '\n')
	if n < 0 {
		return false
	}
	line, _, _ := bytes.Cut(rest[n+1:], []byte("\n"))
	return len(bytes.Trim(line, "> \t\r")) > 0
}
