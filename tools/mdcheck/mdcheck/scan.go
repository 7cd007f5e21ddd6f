package mdcheck

import (
	"bytes"
	"strings"
)

// scanner walks over the lines with the blocks that are open at each of them.
type scanner struct {
	page
	line       int  // number of the current one
	start, end int  // of the current one, without its ending
	pos        int  // how far it is read
	column     int  // where that is on the screen
	torn       bool // it is within a tab, of which the rest counts as spaces
	inside     []container
	fence      *fence
	html       string // what ends the HTML block that is open; "" when none is
	comment    span   // where that block began, and its line
	raw        int    // where the heading begins that HTML has opened
	paragraph  []span // its lines so far
}

// container is a quote or a list item that is open.
type container struct {
	quote  bool
	indent int  // columns that a line of the item is moved in
	bare   bool // the item has nothing in it yet, so that a blank line ends it
}

// maxNesting is how deep quotes and lists are followed. Nobody writes more, and
// a line of a million signs is not to keep us.
const maxNesting = 100

// scan reads a page. It never fails: whatever the bytes are, they are some
// markdown.
func scan(text []byte) *page {
	s := &scanner{page: page{text: text}}
	s.fences = make([]fence, 0, bytes.Count(text, []byte("```"))/2)
	s.notes = make([]note, 0, bytes.Count(text, []byte("mdcheck")))
	at := len(byteOrderMark(text))
	at += frontMatter(text[at:])
	s.line = lineOf(text, at) - 1
	for at < len(text) {
		next := len(text)
		s.end = next
		if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
			s.end, next = at+i, at+i+1
		}
		s.start = at
		if s.end > s.start && text[s.end-1] == '\r' {
			s.end--
		}
		s.line++
		s.take()
		at = s.skip(next)
	}
	s.endParagraph()
	s.endFence(len(text), 0)
	if s.html == "-->" {
		s.unclosed = append(s.unclosed, s.comment)
	}
	return &s.page
}

// skip leaves out the lines of a fence in which its sign is not, for none of
// them can end it.
func (s *scanner) skip(at int) int {
	if s.fence == nil || s.fence.moved {
		return at
	}
	rest := s.text[at:]
	n := bytes.IndexByte(rest, s.fence.mark)
	if n < 0 {
		n = len(rest)
	}
	n = 1 + bytes.LastIndexByte(rest[:n], '\n')
	s.line += bytes.Count(rest[:n], []byte{'\n'})
	return at + n
}

// frontMatter is where the text begins behind a leading block of YAML.
func frontMatter(text []byte) int {
	if !bytes.HasPrefix(text, []byte("---\n")) && !bytes.HasPrefix(text, []byte("---\r\n")) {
		return 0
	}
	at := bytes.IndexByte(text, '\n') + 1
	for line := range bytes.Lines(text[at:]) {
		at += len(line)
		if w := strings.TrimSpace(string(line)); w == "---" || w == "..." {
			return at
		}
	}
	return 0
}

// take reads one line: first the containers that go on, then those that begin,
// then what is in them.
func (s *scanner) take() {
	s.pos, s.column, s.torn = s.start, 0, false
	matched := s.goOn()
	whole := matched == len(s.inside)
	switch {
	case s.fence != nil && whole:
		s.fenceLine()
		return
	case s.html != "" && whole:
		s.htmlLine()
		return
	case s.fence != nil:
		s.endFence(s.start, 0)
	}
	s.html = ""
	s.leaf(s.open(matched))
}

// goOn eats the signs of the containers that the line continues, and says how
// many these are.
func (s *scanner) goOn() int {
	for i := range s.inside {
		c := &s.inside[i]
		indent, first := s.lead()
		switch {
		case c.quote && indent < 4 && s.at(first) == '>':
			s.eatQuote(indent)
		case !c.quote && first == s.end && !c.bare:
		case !c.quote && first < s.end && indent >= c.indent:
			s.eat(c.indent)
			c.bare = false
		default:
			return i
		}
	}
	return len(s.inside)
}

// open begins the quotes and list items that the line begins, and says how
// many containers the line is in.
func (s *scanner) open(matched int) int {
	for {
		indent, first := s.lead()
		if indent >= 4 || first == s.end || len(s.inside) == maxNesting || s.rule(first) {
			return matched
		}
		c := container{quote: s.text[first] == '>'}
		if c.quote {
			s.closeTo(matched)
			s.eatQuote(indent)
		} else {
			width := s.marker(first, matched)
			if width == 0 {
				return matched
			}
			s.closeTo(matched)
			s.eat(indent + width)
			gap, first := s.lead()
			c.bare = first == s.end
			if gap > 4 || c.bare {
				gap = 1
			}
			s.eat(gap)
			c.indent = indent + width + gap
		}
		s.inside = append(s.inside, c)
		matched = len(s.inside)
	}
}

func (s *scanner) eatQuote(indent int) {
	s.eat(indent + 1)
	if sign := s.at(s.pos); sign == ' ' || sign == '\t' {
		s.eat(1)
	}
}

// marker is the width of a list marker at the offset, or 0. Into a paragraph
// that the line would else continue, only a list breaks that has text and that
// begins with 1.
func (s *scanner) marker(first, matched int) int {
	rest := s.text[first:s.end]
	interrupts := len(s.paragraph) > 0 && matched == len(s.inside)
	width := 0
	if strings.IndexByte("-+*", rest[0]) >= 0 {
		width = 1
	} else {
		for width < len(rest) && width < 9 && '0' <= rest[width] && rest[width] <= '9' {
			width++
		}
		if width == 0 || width == len(rest) || rest[width] != '.' && rest[width] != ')' {
			return 0
		}
		if interrupts && string(rest[:width]) != "1" {
			return 0
		}
		width++
	}
	if width < len(rest) && rest[width] != ' ' && rest[width] != '\t' {
		return 0
	}
	if interrupts && len(bytes.TrimLeft(rest[width:], " \t")) == 0 {
		return 0
	}
	return width
}

// rule says whether the line is a thematic break from the offset on: three or
// more of one sign.
func (s *scanner) rule(first int) bool {
	sign, count := s.at(first), 0
	if sign != '-' && sign != '*' && sign != '_' {
		return false
	}
	for _, c := range s.text[first:s.end] {
		switch c {
		case sign:
			count++
		case ' ', '\t':
		default:
			return false
		}
	}
	return count >= 3
}

// closeTo leaves the containers that the line does not continue.
func (s *scanner) closeTo(matched int) {
	s.endParagraph()
	s.inside = s.inside[:matched]
}

// leaf reads what is left of the line behind its containers. Text goes on with
// the paragraph above it even where the signs of its containers are left out.
func (s *scanner) leaf(matched int) {
	indent, first := s.lead()
	rest := s.text[first:s.end]
	switch {
	case first == s.end:
		s.closeTo(matched)
	case indent >= 4 && len(s.paragraph) > 0:
		s.paragraph = append(s.paragraph, span{s.pos, s.end})
	case indent >= 4: // code by indentation
		s.closeTo(matched)
	case opensFence(rest):
		s.closeTo(matched)
		s.openFence(first, indent)
	case headingLevel(rest) > 0:
		s.closeTo(matched)
		s.heading(rest)
	case len(s.paragraph) > 0 && matched == len(s.inside) && underlines(rest) && s.title() != "":
		s.underline()
	case s.rule(first):
		s.closeTo(matched)
	case s.opensHTML(rest):
		s.closeTo(matched)
		s.comment = span{first, s.line}
		s.htmlLine()
	default:
		if len(s.paragraph) == 0 {
			s.closeTo(matched)
		}
		s.paragraph = append(s.paragraph, span{s.pos, s.end})
	}
}

// lead is the width of the whitespace ahead, and the offset of what follows it.
// A tab goes on to the next column that can be divided by four.
func (s *scanner) lead() (width, first int) {
	column := s.column
	for first = s.pos; first < s.end; first++ {
		switch s.text[first] {
		case ' ':
			column++
		case '\t':
			column += tabWidth(column)
		default:
			return column - s.column, first
		}
	}
	return column - s.column, first
}

func tabWidth(column int) int { return 4 - column%4 }

// at is the byte at an offset of the line, or 0 behind its end.
func (s *scanner) at(offset int) byte {
	if offset < s.end {
		return s.text[offset]
	}
	return 0
}

// eat goes on by so many columns, which may end within a tab.
func (s *scanner) eat(columns int) {
	for ; columns > 0 && s.pos < s.end; s.pos++ {
		width := 1
		if s.text[s.pos] == '\t' {
			width = tabWidth(s.column)
		}
		s.column += min(width, columns)
		columns -= width
		if s.torn = columns < 0; s.torn {
			return
		}
	}
}

func (s *scanner) blank() bool { return len(bytes.TrimLeft(s.text[s.pos:s.end], " \t")) == 0 }
