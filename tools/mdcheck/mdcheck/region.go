package mdcheck

import (
	"bytes"
	"fmt"
	"path"
	"strings"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// A region is the lines between two comments of a file, in the file's own
// comment sign:
//
//	// snip:begin charge
//	// snip:end charge
//
// Regions may lie within each other and may not overlap. The comments
// themselves are never shown, nor are blank lines next to them.

// mark is one of these comments.
type mark struct {
	name  string
	begin bool
	line  span // with its ending
}

var markWords = []byte("snip:")

// commentSigns are those of files whose names tell. Of other files it is the
// one of #, // and -- with which the first of these comments is written.
var commentSigns = map[string]string{
	".go": "//", ".mod": "//", ".work": "//", ".proto": "//", ".js": "//", ".ts": "//", ".jsonc": "//",
	".rs": "//", ".java": "//", ".kt": "//", ".c": "//", ".h": "//", ".dart": "//",
	".sql": "--", ".lua": "--", ".yaml": "#", ".yml": "#", ".sh": "#", ".py": "#", ".rb": "#", ".toml": "#",
}

// markers are the comments of a source that begin and end regions.
func (f *source) markers() []mark {
	f.cut.Do(func() {
		f.sign = commentSigns[path.Ext(f.path)]
		if !bytes.Contains(f.text, markWords) {
			return
		}
		at := 0
		for line := range bytes.Lines(f.text) {
			for _, sign := range []string{"#", "//", "--"} {
				if m, ok := readMark(string(line), sign); ok && (f.sign == "" || f.sign == sign) {
					m.line = span{at, at + len(line)}
					f.marks, f.sign = append(f.marks, m), sign
				}
			}
			at += len(line)
		}
	})
	return f.marks
}

// isMark says whether a line is such a comment.
func (f *source) isMark(line []byte) bool {
	if len(f.markers()) == 0 {
		return false
	}
	_, is := readMark(string(line), f.sign)
	return is
}

func readMark(line, sign string) (mark, bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), sign)
	if !ok {
		return mark{}, false
	}
	fields := strings.Fields(rest)
	if len(fields) != 2 || fields[0] != "snip:begin" && fields[0] != "snip:end" {
		return mark{}, false
	}
	return mark{name: fields[1], begin: fields[0] == "snip:begin"}, true
}

// region finds the lines of a region within a stretch of the source. All
// regions of the stretch must be in order, for else it is a guess which is
// meant.
func (f *source) region(name string, within span) (span, error) {
	var open []mark
	var found []span
	var names []string
	for _, m := range f.markers() {
		if m.line.start < within.start || m.line.start >= within.end {
			continue
		}
		if m.begin {
			for _, o := range open {
				if o.name == m.name {
					return span{}, fmt.Errorf("region %s begins at line %d and again at line %d before it ends", m.name, lineOf(f.text, o.line.start), lineOf(f.text, m.line.start))
				}
			}
			open, names = append(open, m), append(names, m.name)
			continue
		}
		if len(open) == 0 {
			return span{}, fmt.Errorf("region %s ends at line %d and is not open there", m.name, lineOf(f.text, m.line.start))
		}
		last := open[len(open)-1]
		if last.name != m.name {
			return span{}, misplacedEnd(f.text, open, m)
		}
		open = open[:len(open)-1]
		if m.name == name {
			found = append(found, span{last.line.end, m.line.start})
		}
	}
	switch {
	case len(open) > 0:
		return span{}, fmt.Errorf("region %s begins at line %d and never ends; write %s snip:end %s behind its last line", open[0].name, lineOf(f.text, open[0].line.start), f.sign, open[0].name)
	case len(found) == 0:
		return span{}, fmt.Errorf("there is no region %s%s", name, template.Suggest(name, names))
	case len(found) > 1:
		return span{}, fmt.Errorf("region %s is there %d times, at lines %d and %d; each needs a name of its own", name, len(found), lineOf(f.text, found[0].start), lineOf(f.text, found[1].start))
	}
	return found[0], nil
}

// withoutBlankEnds leaves out blank lines at either end: a comment that stands
// between two declarations has some around it.
func withoutBlankEnds(text []byte, s span) span {
	for line := range bytes.Lines(text[s.start:s.end]) {
		if len(bytes.TrimSpace(line)) > 0 {
			break
		}
		s.start += len(line)
	}
	shown := bytes.TrimRight(text[s.start:s.end], " \t\r\n")
	if rest := text[s.start+len(shown) : s.end]; len(shown) > 0 {
		s.end = s.start + len(shown) + bytes.IndexByte(rest, '\n') + 1
	}
	return s
}

func misplacedEnd(text []byte, open []mark, m mark) error {
	last := open[len(open)-1]
	for _, o := range open {
		if o.name == m.name {
			return fmt.Errorf("regions %s and %s overlap: %s ends at line %d, before %s, which began within it at line %d", m.name, last.name, m.name, lineOf(text, m.line.start), last.name, lineOf(text, last.line.start))
		}
	}
	return fmt.Errorf("region %s ends at line %d and is not open there", m.name, lineOf(text, m.line.start))
}
