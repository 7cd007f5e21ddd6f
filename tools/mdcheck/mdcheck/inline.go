package mdcheck

import (
	"bytes"
	"slices"
	"strings"
)

// What a paragraph, a heading and a row of a table hold: code, links, HTML.

// prose is the text of a paragraph without the signs of its containers.
type prose struct {
	text  []byte
	lines []span // in the file
	ends  []int  // of these lines, in text; nil when text is one stretch of the file

	// What is known to be nowhere ahead is not looked for again, so that a
	// text of nothing but opening signs takes no longer than any other.
	ticks     map[int]int // where the last run of so many backticks is
	noTag     bool        // there is no > ahead
	noComment bool        // there is no --> ahead
}

// at is where in the file an offset of the text is.
func (p *prose) at(offset int) int {
	if p.ends == nil {
		return p.lines[0].start + offset
	}
	i, _ := slices.BinarySearch(p.ends, offset)
	i = min(i, len(p.lines)-1)
	return p.lines[i].end - (p.ends[i] - offset)
}

// endParagraph reads what the paragraph says, now that all of it is known.
func (s *scanner) endParagraph() {
	lines := s.paragraph
	s.paragraph = s.paragraph[:0]
	for len(lines) > 0 && s.definition(lines[0]) {
		lines = lines[1:]
	}
	switch {
	case len(lines) == 0:
	case len(lines) > 1 && isTable(s.text[lines[1].start:lines[1].end]):
		for i := range lines {
			s.inline(lines[i : i+1])
		}
	default:
		s.inline(lines)
	}
}

// isTable says whether the second line of a paragraph makes it a table.
func isTable(line []byte) bool {
	return bytes.IndexByte(line, '|') >= 0 && bytes.IndexByte(line, '-') >= 0 &&
		len(bytes.Trim(line, " \t|:-")) == 0
}

// definition reads a line `[label]: target "title"`.
func (s *scanner) definition(l span) bool {
	label, target := definition(s.text[l.start:l.end])
	if target == "" {
		return false
	}
	if s.labels == nil {
		s.labels = map[string]bool{}
	}
	s.labels[label] = true
	s.links = append(s.links, link{at: l.start, target: target})
	return true
}

func definition(line []byte) (label, target string) {
	line = bytes.TrimSpace(line)
	shut := bytes.Index(line, []byte("]:"))
	if shut < 2 || line[0] != '[' || line[1] == '^' {
		return "", ""
	}
	target = strings.TrimSpace(string(line[shut+2:]))
	if end := strings.IndexAny(target, " \t"); end > 0 {
		if title := strings.TrimSpace(target[end:]); strings.IndexByte(`"'(`, title[0]) < 0 {
			return "", ""
		}
		target = target[:end]
	}
	return labelOf(line[1:shut]), strings.Trim(target, "<>")
}

// labelOf is a label as labels compare: in any case, with any spaces.
func labelOf(text []byte) string {
	return strings.ToLower(strings.Join(strings.Fields(string(text)), " "))
}

// inline reads the text of some lines.
func (s *scanner) inline(lines []span) {
	p := prose{lines: lines, text: s.text[lines[0].start:lines[len(lines)-1].end]}
	if bytes.IndexByte(p.text, '`') < 0 && bytes.IndexByte(p.text, '[') < 0 && bytes.IndexByte(p.text, '<') < 0 {
		return
	}
	if len(lines) > 1 && !s.oneStretch(lines) {
		p.text = nil
		for _, l := range lines {
			p.text = append(p.text, s.text[l.start:l.end]...)
			p.ends = append(p.ends, len(p.text))
			p.text = append(p.text, '\n')
		}
	}
	var brackets []int
	for i := 0; i < len(p.text); {
		skip := bytes.IndexAny(p.text[i:], "`[]<\\")
		if skip < 0 {
			return
		}
		i += skip
		switch p.text[i] {
		case '\\':
			i += 2
		case '`':
			i = s.codeSpan(&p, i)
		case '<':
			i = s.tag(&p, i)
		case '[':
			brackets = append(brackets, i)
			i++
		case ']':
			i++
			if n := len(brackets); n > 0 {
				i = s.link(&p, brackets[n-1], i)
				brackets = brackets[:n-1]
			}
		}
	}
}

// oneStretch says whether nothing but line endings is between the lines.
func (s *scanner) oneStretch(lines []span) bool {
	for i := range lines[1:] {
		if len(bytes.TrimLeft(s.text[lines[i].end:lines[i+1].start], "\r\n")) > 0 {
			return false
		}
	}
	return true
}

// codeSpan reads `code` and says where it ends.
func (s *scanner) codeSpan(p *prose, i int) int {
	n := run(p.text[i:], '`')
	begin := i + n
	if p.ticks != nil && p.ticks[n] < begin {
		return begin
	}
	for at := range ticks(p.text, begin) {
		if run(p.text[at:], '`') == n {
			s.names = append(s.names, span{p.at(begin), p.at(at)})
			return at + n
		}
	}
	if p.ticks == nil {
		p.ticks = map[int]int{}
		for at := range ticks(p.text, begin) {
			p.ticks[run(p.text[at:], '`')] = at
		}
	}
	return begin
}

// ticks goes through the runs of backticks from an offset on.
func ticks(text []byte, at int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for {
			skip := bytes.IndexByte(text[at:], '`')
			if skip < 0 || !yield(at+skip) {
				return
			}
			at += skip + run(text[at+skip:], '`')
		}
	}
}

// link reads what follows [text]: a target in parentheses, or a label.
func (s *scanner) link(p *prose, open, i int) int {
	if i == len(p.text) {
		return i
	}
	switch p.text[i] {
	case '(':
		target, end := destination(p.text, i+1)
		if end > 0 {
			s.links = append(s.links, link{at: p.at(open), target: target})
			return end
		}
	case '[':
		end := bytes.IndexByte(p.text[i:], ']')
		inWord := open > 0 && (isLetter(p.text[open-1]) || p.text[open-1] == ']')
		footnote := end > 1 && p.text[i+1] == '^'
		if end > 1 && !inWord && !footnote {
			s.links = append(s.links, link{at: p.at(open), label: labelOf(p.text[i+1 : i+end])})
			return i + end + 1
		}
	}
	return i
}

func isLetter(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c >= 0x80
}

// destination reads `target "title")` and says where it ends, or 0.
func destination(text []byte, i int) (target string, end int) {
	i = skipSpace(text, i)
	begin := i
	if i < len(text) && text[i] == '<' {
		shut := bytes.IndexAny(text[i:], ">\n")
		if shut < 0 || text[i+shut] != '>' {
			return "", 0
		}
		begin, i = i+1, i+shut
		target, i = string(text[begin:i]), i+1
	} else {
		depth := 0
		for ; i < len(text) && text[i] > ' '; i++ {
			if text[i] == '(' {
				if depth++; depth > 32 {
					return "", 0
				}
			}
			if text[i] == ')' {
				if depth == 0 {
					break
				}
				depth--
			}
			if text[i] == '\\' && i+1 < len(text) {
				i++
			}
		}
		target = unescape(string(text[begin:min(i, len(text))]))
	}
	i = skipSpace(text, i)
	if i < len(text) && strings.IndexByte(`"'(`, text[i]) >= 0 {
		shut := text[i]
		if shut == '(' {
			shut = ')'
		}
		n := bytes.IndexByte(text[i+1:min(i+1000, len(text))], shut)
		if n < 0 {
			return "", 0
		}
		i = skipSpace(text, i+n+2)
	}
	if i >= len(text) || text[i] != ')' {
		return "", 0
	}
	return target, i + 1
}

// unescape takes the backslashes from before punctuation.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && !isLetter(s[i+1]) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func skipSpace(text []byte, i int) int {
	for i < len(text) && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r') {
		i++
	}
	return i
}
