package mdcheck

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// check is the check of one document.
type check struct {
	*Repository
	path      string // of the document
	page      *page
	front     front
	findings  []Finding
	edits     []edit
	counts    Counts
	skips     int
	notRun    []NotRun
	coverage  *PostCoverage
	shown     []*excerpt   // of Go files, for the coverage
	held      map[int]bool // offsets of the links in source lines, which are checked with these
	runs      []*transcript
	asked     []*testValue
	uses      map[string]bool // the files that were looked at
	suggested int             // how many likely meanings were looked for
}

// checked languages are those whose blocks must say where they come from.
var checked = []string{"go", "yaml", "yml", "sql", "console", "mermaid", "json"}

// check reads a document and compares all that needs no command to be run.
func (r *Repository) check(document string) *check {
	c := &check{Repository: r, path: document, page: &page{}, uses: map[string]bool{}, held: map[int]bool{}}
	f, err := c.open(document)
	if err != nil {
		c.find(1, Unreadable, "%s", err)
		return c
	}
	c.page = scan(f.text)
	for _, u := range c.page.unclosed {
		c.find(u.end, Broken, "a comment begins here and never ends; close it with -->")
	}
	c.directives()
	c.links()
	c.names()
	c.cover()
	return c
}

// open reads a file of the repository, and remembers that this document
// depends on it.
func (c *check) open(path string) (*source, error) {
	c.uses[path] = true
	return c.sources.open(path)
}

func (c *check) golang(f *source) *goFile { return c.sources.golang(f) }

// source reads the file that a directive names.
func (c *check) source(name string) (*source, error) {
	path, err := from(c.path, name)
	if err != nil {
		return nil, err
	}
	f, err := c.open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

func (c *check) find(line int, rule Rule, format string, args ...any) *Finding {
	c.findings = append(c.findings, Finding{File: c.path, Line: line, Rule: rule, Text: fmt.Sprintf(format, args...)})
	return &c.findings[len(c.findings)-1]
}

// directives goes through the comments and the fences, which belong together
// when one is directly above the other. Both are in the order of their lines.
func (c *check) directives() {
	notes := c.page.notes
	for i := range notes {
		n := &notes[i]
		var err error
		if n.says, err = parseDirective(string(c.page.text[n.body.start:n.body.end]), n.body.start); err != nil {
			c.find(n.line, Broken, "%s", err)
		} else if n.says.kind == "document" {
			c.readFront(n)
		}
	}
	next := 0
	for i := range c.page.fences {
		f := &c.page.fences[i]
		for next < len(notes) && notes[next].last < f.line-1 {
			next++
		}
		var above *note
		if next < len(notes) && notes[next].isAbove(f) {
			above = &notes[next]
			above.taken = true
		}
		switch {
		case f.tail == 0:
			c.find(f.line, Broken, "the fence is never closed; end it with a line %s", strings.Repeat(string(f.mark), f.length))
		case above == nil:
			c.bare(f)
		case above.says != nil:
			c.fence(f, above, above.says)
		}
	}
	for i := range notes {
		if n := &notes[i]; n.says != nil && n.says.kind != "document" && !n.taken {
			c.lonely(n, i+1 < len(notes) && notes[i+1].line == n.last+1)
		}
	}
}

// isAbove says whether a comment is directly above a fence and speaks of it.
func (n *note) isAbove(f *fence) bool {
	return n.alone && n.last == f.line-1 && (n.says == nil || n.says.kind != "document")
}

// lonely follows a comment that is above no fence.
func (c *check) lonely(n *note, anotherFollows bool) {
	switch {
	case n.says.kind == "test":
		c.value(n, n.says)
	case !n.alone:
		c.find(n.line, Broken, "the directive stands within text; put it on a line of its own, directly above a fence")
	case anotherFollows:
		c.find(n.line, Broken, "there are two directives on one fence, here and on the next line; one must go")
	default:
		c.find(n.line, Broken, "the directive is above no fence; put it on the line directly above one")
	}
}

// bare is a fence without a directive, which some languages may not be.
func (c *check) bare(f *fence) {
	if language := c.page.language(f); slices.Contains(checked, language) {
		c.find(f.line, Unchecked, "nothing says where this %s block comes from; put <!-- mdcheck src=… --> on the line above it, or <!-- mdcheck skip reason=\"…\" -->", language)
	}
}

// fence follows the directive above a fence.
func (c *check) fence(f *fence, n *note, d *directive) {
	switch d.kind {
	case "skip":
		c.skips++
	case "run":
		c.transcript(f, n, d)
	case "src", "yaml":
		c.counts.Snippets++
		c.compare(f, n, d)
	case "mermaid":
		c.counts.Pictures++
		c.compare(f, n, d)
	case "test":
		c.find(n.line, Broken, "test=… gives a value to a sentence: <!-- mdcheck test=%s value=… -->5<!-- /mdcheck -->", d.get("test"))
	}
}

// follow finds what a fence must show.
func (c *check) follow(d *directive) (*excerpt, error) {
	switch d.kind {
	case "yaml":
		return c.yamlNode(d)
	case "mermaid":
		return c.picture(d)
	default:
		return c.snippet(d)
	}
}

// compare holds a fence to its source.
func (c *check) compare(f *fence, n *note, d *directive) {
	e, err := c.follow(d)
	var lost *missing
	if errors.As(err, &lost) {
		e, d, err = c.renamed(f, n, d, lost)
	}
	if err != nil {
		c.find(n.line, Broken, "%s", err)
		return
	}
	if strings.HasSuffix(e.source.path, ".go") {
		c.shown = append(c.shown, e)
		c.sourceLine(f, d, e)
	}
	code := c.page.code(f)
	if bytes.Equal(code, e.text) {
		c.lengthen(f, e.text)
		return
	}
	diff := unified(c.path, code, f.line, e.source.path, e.text, e.line()-1)
	finding := c.find(f.line, Stale, "%s: %s", e.title(d), differ(diff))
	finding.Diff, finding.Mendable = diff, true
	finding.Source, finding.SourceLine = e.source.path, e.line()
	c.replace(f, e.text)
}

// title names the other end of a fence: the file as the directive has it, the
// line, and what is there.
func (e *excerpt) title(d *directive) string {
	name := d.get(d.kind)
	switch {
	case d.kind == "mermaid":
		return name + ": the picture"
	case d.kind == "yaml":
		return fmt.Sprintf("%s:%d %s", name, e.line(), d.get("path"))
	}
	title := fmt.Sprintf("%s:%d", name, e.line())
	if d.has("sym") {
		title += " " + d.get("sym")
	}
	if d.has("region") {
		title += " region " + d.get("region")
	}
	if d.has("stmt") {
		title += fmt.Sprintf(" %q", d.get("stmt"))
	}
	return title
}

// title names a directive without looking anything up.
func (d *directive) title() string {
	var parts []string
	if d.get(d.kind) == "" {
		parts = append(parts, d.kind)
	}
	for _, key := range append([]string{d.kind}, keysOf(d.kind)...) {
		if d.has(key) && d.get(key) != "" {
			parts = append(parts, d.get(key))
		}
	}
	return strings.Join(parts, " ")
}
