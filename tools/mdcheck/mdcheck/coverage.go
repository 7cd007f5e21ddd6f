package mdcheck

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
)

// PostCoverage is which part of its handlers a document shows.
type PostCoverage struct {
	File       string      `json:"file"`
	Statements int         `json:"statements"`
	Shown      int         `json:"shown"`
	Never      []LineRange `json:"never_shown"`
}

// LineRange is a stretch of lines of a handler's file that holds statements
// which the document never shows.
type LineRange struct {
	File  string `json:"file"` // slash path from the repository's root
	First int    `json:"first"`
	Last  int    `json:"last"`
}

func (l LineRange) String() string {
	if l.First == l.Last {
		return fmt.Sprintf("%s:%d", l.File, l.First)
	}
	return fmt.Sprintf("%s:%d-%d", l.File, l.First, l.Last)
}

// Percent is the share that is shown, from 0 to 100.
func (p *PostCoverage) Percent() float64 {
	if p.Statements == 0 {
		return 100
	}
	return 100 * float64(p.Shown) / float64(p.Statements)
}

func (p *PostCoverage) String() string {
	return fmt.Sprintf("%s shows %.1f %% of its handlers, %d of %d statements", p.File, p.Percent(), p.Shown, p.Statements)
}

// Unshown lists what is never shown, a line for each range.
func (p *PostCoverage) Unshown() string {
	var b strings.Builder
	for _, l := range p.Never {
		fmt.Fprintf(&b, "%s never shows %s\n", p.File, l)
	}
	return b.String()
}

// cover counts which statements of its handlers a post shows, and holds it to
// the least share that is asked for.
func (c *check) cover() {
	handlers, err := c.handlers()
	line := 1
	if c.front.note != nil {
		line = c.front.note.line
	}
	if err != nil {
		c.find(line, Broken, "handlers: %s", err)
		return
	}
	if len(handlers) == 0 {
		return
	}
	c.coverage = &PostCoverage{File: c.path}
	for _, f := range handlers {
		if err := c.coverFile(f); err != nil {
			c.find(line, Broken, "handlers: %s: %s", f.path, err)
			return
		}
	}
	floor := max(c.front.coverage, c.options.MinCoverage)
	if c.coverage.Percent() < floor {
		var never []string
		for _, l := range c.coverage.Never {
			never = append(never, l.String())
		}
		c.find(line, Coverage, "%.1f %% of the handlers are shown and %g %% are asked for; never shown: %s", c.coverage.Percent(), floor, strings.Join(never, ", "))
	}
}

// coverFile counts the statements of one file.
func (c *check) coverFile(f *source) error {
	all, file, err := statements(f.text)
	if err != nil {
		return err
	}
	shown := c.shownLines(f)
	open := false // the last statement is of a range that goes on
	for _, s := range all {
		if _, label := s.(*ast.LabeledStmt); label {
			continue // what it labels is a statement of its own
		}
		first, last := ownLines(file, s)
		c.coverage.Statements++
		if visible(shown, first, last) {
			c.coverage.Shown++
			open = false
			continue
		}
		never := &c.coverage.Never
		if open {
			(*never)[len(*never)-1].Last = max((*never)[len(*never)-1].Last, last)
		} else {
			*never = append(*never, LineRange{f.path, first, last})
		}
		open = true
	}
	return nil
}

// ownLines are the lines that a statement is read from: of one with a block,
// those up to the block.
func ownLines(file *token.File, s ast.Stmt) (first, last int) {
	end := s.End()
	switch s := s.(type) {
	case *ast.IfStmt:
		end = s.Body.Lbrace
	case *ast.ForStmt:
		end = s.Body.Lbrace
	case *ast.RangeStmt:
		end = s.Body.Lbrace
	case *ast.SwitchStmt:
		end = s.Body.Lbrace
	case *ast.TypeSwitchStmt:
		end = s.Body.Lbrace
	case *ast.SelectStmt:
		end = s.Body.Lbrace
	case *ast.CaseClause:
		end = s.Colon
	case *ast.CommClause:
		end = s.Colon
	}
	// A comment like //line a.y:7 is not to count.
	return file.PositionFor(s.Pos(), false).Line, file.PositionFor(end, false).Line
}

func visible(shown map[int]bool, first, last int) bool {
	for line := first; line <= last; line++ {
		if !shown[line] {
			return false
		}
	}
	return true
}

// shownLines are the lines of a file that the document's blocks show.
func (c *check) shownLines(f *source) map[int]bool {
	shown := map[int]bool{}
	for _, e := range c.shown {
		if e.source != f {
			continue
		}
		at, line := e.at.start, e.line()
		for text := range strings.Lines(string(f.text[e.at.start:e.at.end])) {
			if _, omitted := e.gapAt(at); !omitted {
				shown[line] = true
			}
			at += len(text)
			line++
		}
	}
	return shown
}
