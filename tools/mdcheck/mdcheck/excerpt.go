package mdcheck

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// excerpt is what a fence must show, and where it comes from.
type excerpt struct {
	source *source
	decl   *decl  // that it is, or is part of; nil when there is none
	at     span   // in the source
	text   []byte // with plain line endings
	gaps   []gap  // what is omitted, sorted
}

// gap is an omitted region with the comments around it.
type gap struct {
	span
	lead []byte // before the comment that is shown in its place
}

// line is where the excerpt begins.
func (e *excerpt) line() int { return lineOf(e.source.text, e.at.start) }

// lastLine is where it ends.
func (e *excerpt) lastLine() int {
	end := e.at.end
	if end > e.at.start && e.source.text[end-1] == '\n' {
		end--
	}
	return lineOf(e.source.text, end)
}

// cutOut makes the text of an excerpt from its place: without markers, moved
// to the left by the indentation that all its lines have, and with a comment
// in place of each region that is omitted.
func (e *excerpt) cutOut(omit []string) error {
	for _, name := range omit {
		region, err := e.source.region(name, e.at)
		if err != nil {
			return fmt.Errorf("omit=%s: %w", name, err)
		}
		e.gaps = append(e.gaps, e.source.around(region))
	}
	slices.SortFunc(e.gaps, func(a, b gap) int { return cmp.Compare(a.start, b.start) })
	text := e.source.text
	body := text[e.at.start:e.at.end]
	flush := len(body) > 0 && body[0] != ' ' && body[0] != '\t' && e.at.start == startOfLine(text, e.at.start)
	if flush && len(e.source.markers()) == 0 && bytes.IndexByte(body, '\r') < 0 {
		e.text = ended(text, e.at)
		return nil
	}
	e.text = e.rewrite(e.source.indentation(e.at))
	return nil
}

// around is a region with its comments. What stands in its place is indented
// as it is, or as its comments are when there is nothing in it.
func (f *source) around(region span) gap {
	begin := startOfLine(f.text, region.start-1)
	end := len(f.text)
	if n := bytes.IndexByte(f.text[region.end:], '\n'); n >= 0 {
		end = region.end + n + 1
	}
	lead := f.indentation(region)
	if len(bytes.TrimSpace(f.text[region.start:region.end])) == 0 {
		lead = whitespace(f.text[begin:region.start])
	}
	return gap{span{begin, end}, lead}
}

// ended is the stretch with a line ending, in place when there is one.
func ended(text []byte, at span) []byte {
	switch {
	case at.end > at.start && text[at.end-1] == '\n':
		return text[at.start:at.end:at.end]
	case at.end < len(text) && text[at.end] == '\n':
		return text[at.start : at.end+1 : at.end+1]
	default:
		return append(bytes.Clone(text[at.start:at.end]), '\n')
	}
}

func startOfLine(text []byte, at int) int { return 1 + bytes.LastIndexByte(text[:at], '\n') }

// indentation is what all lines of a stretch begin with, but for those that are
// never shown. A stretch that begins within a line has the indentation of that
// line, for which the dashes of a YAML list count as spaces.
func (f *source) indentation(at span) []byte {
	if begin := startOfLine(f.text, at.start); begin < at.start {
		return whitespace(bytes.ReplaceAll(f.text[begin:at.start], []byte("- "), []byte("  ")))
	}
	var common []byte
	first := true
	for line := range bytes.Lines(f.text[at.start:at.end]) {
		if len(bytes.TrimSpace(line)) == 0 || f.isMark(line) {
			continue
		}
		lead := whitespace(line)
		if first {
			common, first = lead, false
		}
		n := 0
		for n < len(common) && n < len(lead) && common[n] == lead[n] {
			n++
		}
		common = common[:n]
	}
	return common
}

// whitespace is what a line begins with.
func whitespace(line []byte) []byte { return line[:len(line)-len(bytes.TrimLeft(line, " \t"))] }

// rewrite goes over the lines of the excerpt one by one.
func (e *excerpt) rewrite(lead []byte) []byte {
	var b bytes.Buffer
	at := e.at.start
	for line := range bytes.Lines(e.source.text[e.at.start:e.at.end]) {
		here := at
		at += len(line)
		line = bytes.TrimRight(line, "\r\n")
		shown := bytes.TrimPrefix(line, lead)
		if len(bytes.TrimSpace(line)) == 0 && len(shown) == len(line) {
			shown = nil
		}
		if gap, ok := e.gapAt(here); ok {
			if here == gap.start {
				b.Write(bytes.TrimPrefix(gap.lead, lead))
				b.WriteString(e.source.sign + " …\n")
			}
			continue
		}
		if e.source.isMark(line) {
			continue
		}
		b.Write(shown)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// gapAt is the gap at an offset, the outermost of several.
func (e *excerpt) gapAt(offset int) (gap, bool) {
	for _, g := range e.gaps {
		if g.start <= offset && offset < g.end {
			return g, true
		}
	}
	return gap{}, false
}

// snippet follows a directive src=….
func (c *check) snippet(d *directive) (*excerpt, error) {
	f, err := c.source(d.get("src"))
	if errors.Is(err, errNoFile) && d.has("sym") {
		return nil, &missing{file: d.get("src"), sym: d.get("sym"), gone: true}
	}
	if err != nil {
		return nil, err
	}
	e := &excerpt{source: f, at: span{len(byteOrderMark(f.text)), len(f.text)}}
	if d.has("sym") {
		if err := c.symbol(e, d); err != nil {
			return nil, err
		}
	}
	if d.has("region") {
		if e.at, err = f.region(d.get("region"), e.at); err != nil {
			return nil, fmt.Errorf("%s: %w", d.get("src"), err)
		}
		if e.decl == nil && strings.HasSuffix(f.path, ".go") {
			e.decl = c.golang(f).enclosing(e.at.start)
		}
		e.at = withoutBlankEnds(f.text, e.at)
	}
	if err := e.cutOut(strings.FieldsFunc(d.get("omit"), func(r rune) bool { return r == ' ' || r == ',' })); err != nil {
		return nil, fmt.Errorf("%s: %w", d.get("src"), err)
	}
	return e, nil
}

// missing is a symbol that its file does not declare, or whose file is gone.
type missing struct {
	file, sym string
	gone      bool
	near      string // the end of the message
}

func (m *missing) Error() string {
	if m.gone {
		return fmt.Sprintf("%s: %s%s", m.file, errNoFile, m.near)
	}
	return fmt.Sprintf("%s declares no %s%s", m.file, m.sym, m.near)
}

// symbol narrows an excerpt to a declaration, or to a statement of it.
func (c *check) symbol(e *excerpt, d *directive) error {
	name, sym := d.get("src"), d.get("sym")
	if !strings.HasSuffix(name, ".go") {
		return fmt.Errorf("%s is no Go file, so sym=%s means nothing in it; use region=…", name, sym)
	}
	code := c.golang(e.source)
	if code.Wrong != "" {
		return fmt.Errorf("%s does not parse, %s", name, code.Wrong)
	}
	found := code.find(sym)
	switch {
	case len(found) == 0:
		return &missing{file: name, sym: sym, near: code.near(sym)}
	case len(found) > 1:
		return fmt.Errorf("%s declares %s %d times, at lines %d and %d; use region=…", name, sym, len(found), lineOf(e.source.text, found[0].Start), lineOf(e.source.text, found[1].Start))
	}
	e.decl = found[0]
	e.at = span{e.decl.Start, e.decl.End}
	if d.has("with") {
		e.at.start = e.decl.Doc
	}
	if d.has("stmt") {
		at, err := statement(e.source.text, e.decl, d.get("stmt"))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		e.at = at
	}
	return nil
}
