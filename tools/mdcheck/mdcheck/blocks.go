package mdcheck

import (
	"bytes"
	"strings"
)

// Fences and headings: the blocks that a line begins, ends or is all of.

// opensFence says whether three or more backticks or tildes begin a code block.
func opensFence(rest []byte) bool {
	mark := rest[0]
	return (mark == '`' || mark == '~') && run(rest, mark) >= 3 &&
		(mark == '~' || bytes.IndexByte(rest[run(rest, mark):], '`') < 0)
}

func (s *scanner) openFence(first, indent int) {
	mark := s.text[first]
	length := run(s.text[first:s.end], mark)
	s.fences = append(s.fences, fence{
		line: s.line, start: first, body: span{s.next(), s.next()},
		info: span{first + length, s.end},
		mark: mark, length: length, lead: asLead(s.text[s.start:first]), indent: indent, moved: first > s.start,
		crlf: s.end < len(s.text) && s.text[s.end] == '\r',
	})
	s.fence = &s.fences[len(s.fences)-1]
}

// asLead is what stands before each line of a block that begins behind so much
// of a line: list markers become spaces, quote signs and tabs stay.
func asLead(before []byte) string {
	lead := bytes.Map(func(r rune) rune {
		if r != '>' && r != '\t' {
			return ' '
		}
		return r
	}, before)
	if bytes.HasSuffix(lead, []byte(">")) {
		lead = append(lead, ' ') // or a tab that follows would lose a column
	}
	return string(lead)
}

func (s *scanner) next() int {
	at := s.end
	if at < len(s.text) && s.text[at] == '\r' {
		at++
	}
	return min(at+1, len(s.text))
}

// fenceLine is a line of the open fence, or the one that closes it.
func (s *scanner) fenceLine() {
	f := s.fence
	indent, first := s.lead()
	if indent < 4 && s.at(first) == f.mark {
		rest := s.text[first:s.end]
		if n := run(rest, f.mark); n >= f.length && len(bytes.TrimSpace(rest[n:])) == 0 {
			s.endFence(s.start, n)
			return
		}
	}
	f.body.end = s.next()
	if f.moved {
		s.eat(min(indent, f.indent))
		if s.torn {
			f.text = append(f.text, "    "[:tabWidth(s.column)]...)
			s.pos++
		}
		f.text = append(append(f.text, s.text[s.pos:s.end]...), '\n')
	}
}

func (s *scanner) endFence(body, tail int) {
	if s.fence == nil {
		return
	}
	s.fence.body.end, s.fence.tail = body, tail
	s.fence.end = s.end
	if tail == 0 {
		s.fence.end = body
	}
	s.fence.body.start = min(s.fence.body.start, body)
	s.fence = nil
}

func run(text []byte, sign byte) int {
	n := 0
	for n < len(text) && text[n] == sign {
		n++
	}
	return n
}

func headingLevel(rest []byte) int {
	level := run(rest, '#')
	if level > 6 || level < len(rest) && rest[level] != ' ' && rest[level] != '\t' {
		return 0
	}
	return level
}

func (s *scanner) heading(rest []byte) {
	level := headingLevel(rest)
	title := bytes.TrimSpace(rest[level:])
	if bare := bytes.TrimRight(title, "#"); len(bare) == 0 || len(bare) < len(title) && bare[len(bare)-1] == ' ' {
		title = bytes.TrimSpace(bare)
	}
	s.headings = append(s.headings, string(title))
	s.inline([]span{{s.end - len(rest) + level, s.end}})
}

// underlines says whether the line makes a heading of the paragraph above it.
func underlines(rest []byte) bool {
	return (rest[0] == '=' || rest[0] == '-') && len(bytes.TrimSpace(rest[run(rest, rest[0]):])) == 0
}

func (s *scanner) underline() {
	s.headings = append(s.headings, s.title())
	s.endParagraph()
}

// title is the paragraph as a heading, without the definitions before it.
func (s *scanner) title() string {
	var title []string
	for _, l := range s.paragraph {
		line := s.text[l.start:l.end]
		if _, target := definition(line); target == "" || len(title) > 0 {
			title = append(title, strings.TrimSpace(string(line)))
		}
	}
	return strings.Join(title, " ")
}
