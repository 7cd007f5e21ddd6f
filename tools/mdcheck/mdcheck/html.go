package mdcheck

import (
	"bytes"
	"strings"
	"unicode"
)

// HTML in a page hides what is in it from markdown: no fence begins within a
// comment or directly under a <details>. Some of it is ours: comments that
// begin with mdcheck, links, and the ids that links lead to.

// blankLine ends the HTML blocks that only a blank line ends.
const blankLine = "\n"

// rawTags hold text that ends only with the same tag.
var rawTags = []string{"script", "pre", "style", "textarea"}

// blockTags begin a block that goes on up to a blank line.
var blockTags = map[string]bool{}

func init() {
	for _, tag := range strings.Fields(`address article aside base basefont blockquote body caption center col
		colgroup dd details dialog dir div dl dt fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5
		h6 head header hr html iframe legend li link main menu menuitem nav noframes ol optgroup option p param search
		section summary table tbody td tfoot th thead title tr track ul`) {
		blockTags[tag] = true
	}
}

// opensHTML says whether the line begins an HTML block, and remembers what
// will end it.
func (s *scanner) opensHTML(rest []byte) bool {
	if len(rest) < 2 || rest[0] != '<' {
		return false
	}
	s.html = ""
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		s.html = "-->"
	case bytes.HasPrefix(rest, []byte("<?")):
		s.html = "?>"
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		s.html = "]]>"
	case bytes.HasPrefix(rest, []byte("<!")) && len(rest) > 2 && isLetter(rest[2]):
		s.html = ">"
	default:
		s.html = tagEnds(rest, len(s.paragraph) > 0)
	}
	return s.html != ""
}

// tagEnds is what ends the block that begins with a tag, "" when none does.
func tagEnds(rest []byte, interrupts bool) string {
	name := strings.ToLower(string(tagName(rest)))
	for _, raw := range rawTags {
		if name == raw && rest[1] != '/' {
			return "</" + raw + ">"
		}
	}
	alone := bytes.HasSuffix(bytes.TrimSpace(rest), []byte(">")) && bytes.Count(rest, []byte(">")) == 1 && bytes.IndexByte(rest, ':') < 0
	if blockTags[name] || name != "" && alone && !interrupts {
		return blankLine
	}
	return ""
}

func tagName(rest []byte) []byte {
	rest = bytes.TrimPrefix(rest[1:], []byte("/"))
	n := 0
	for n < len(rest) && rest[n] != '_' && rest[n] < 0x80 && isLetter(rest[n]) {
		n++
	}
	return rest[:n]
}

// htmlLine is a line of the open HTML block.
func (s *scanner) htmlLine() {
	switch {
	case s.html == blankLine:
		if s.blank() {
			s.html = ""
			return
		}
		s.tags(span{s.pos, s.end})
	case s.html == "-->":
		s.commentLine()
	case bytes.Contains(bytes.ToLower(s.text[s.pos:s.end]), []byte(s.html)):
		s.html = ""
	}
}

// commentLine looks for the end of the open comment. What follows it on the
// line is HTML still.
func (s *scanner) commentLine() {
	from := max(s.pos, s.comment.start)
	if s.comment.start >= s.start {
		from = min(s.comment.start+len("<!"), s.end) // <!--> is all of one
	}
	shut := bytes.Index(s.text[from:s.end], []byte("-->"))
	if shut < 0 {
		return
	}
	s.html = ""
	end := from + shut + len("-->")
	rest := s.text[end:s.end]
	if len(bytes.TrimSpace(rest)) == 0 {
		s.addNote(span{s.comment.start, end}, s.comment.end, true)
		return
	}
	s.tags(span{s.comment.start, s.end})
}

// tags reads some HTML, in which nothing is markdown.
func (s *scanner) tags(at span) {
	p := prose{text: s.text[at.start:at.end], lines: []span{at}}
	for i := 0; i < len(p.text); {
		skip := bytes.IndexByte(p.text[i:], '<')
		if skip < 0 {
			return
		}
		i = s.tag(&p, i+skip)
	}
}

// addNote keeps a comment that speaks to us.
func (s *scanner) addNote(whole span, line int, alone bool) {
	text := s.text[whole.start+len("<!--") : max(whole.end-len("-->"), whole.start+len("<!--"))]
	word := bytes.TrimLeft(text, " \t\r\n")
	body := bytes.TrimPrefix(word, []byte("mdcheck"))
	if len(body) == len(word) || len(body) > 0 && strings.IndexByte(" \t\r\n", body[0]) < 0 {
		return
	}
	begin := whole.end - len("-->") - len(body)
	s.notes = append(s.notes, note{
		line: line, last: s.line, whole: whole, alone: alone,
		body: span{begin, begin + len(body)},
	})
}

// tag reads HTML within text, and says where it ends.
func (s *scanner) tag(p *prose, i int) int {
	rest := p.text[i:]
	if bytes.HasPrefix(rest, []byte("<!--")) {
		return s.inlineComment(p, i)
	}
	if p.noTag || len(rest) < 2 || rest[1] != '/' && len(tagName(rest)) == 0 {
		return i + 1
	}
	end := bytes.IndexByte(rest, '>')
	if end < 0 {
		p.noTag = true
		return i + 1
	}
	s.rawHeading(rest, p.at(i), p.at(i+end)+1)
	for name, value := range attributes(string(rest[1:end])) {
		switch name {
		case "href", "src":
			s.links = append(s.links, link{at: p.at(i), target: value})
		case "id", "name":
			s.anchors = append(s.anchors, value)
		}
	}
	return i + end + 1
}

// rawHeading keeps what stands between <h2> and </h2>, from where the tag that
// is given ends to where the next one begins.
func (s *scanner) rawHeading(tag []byte, begin, end int) {
	name := tagName(tag)
	switch {
	case len(name) != 2 || name[0]|0x20 != 'h' || name[1] < '1' || name[1] > '6':
	case tag[1] != '/':
		s.raw = end
	case s.raw > 0:
		s.headings = append(s.headings, strings.TrimSpace(string(s.text[s.raw:begin])))
		s.raw = 0
	}
}

// attributes goes through those that have values, in quotes or without.
func attributes(tag string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for {
			i := strings.IndexByte(tag, '=')
			if i < 0 {
				return
			}
			fields := strings.Fields(tag[:i])
			tag = strings.TrimLeft(tag[i+1:], " ")
			var value string
			closed := true
			if tag != "" && strings.IndexByte(`"'`, tag[0]) >= 0 {
				value, tag, closed = strings.Cut(tag[1:], tag[:1])
			} else {
				n := len(tag) - len(strings.TrimLeftFunc(tag, func(r rune) bool { return !unicode.IsSpace(r) }))
				value, tag = tag[:n], tag[n:]
			}
			if !closed || len(fields) > 0 && value != "" && !yield(strings.ToLower(fields[len(fields)-1]), value) {
				return
			}
		}
	}
}

// inlineComment reads a comment within text. One of ours shows a value, up to
// the comment `<!-- /mdcheck -->`.
func (s *scanner) inlineComment(p *prose, i int) int {
	shut := -1
	if !p.noComment {
		shut = bytes.Index(p.text[i:], []byte("-->"))
	}
	if shut < 0 {
		p.noComment = true
		if word := p.text[i+len("<!--"):]; bytes.HasPrefix(bytes.TrimLeft(word[:min(len(word), 100)], " \t\r\n"), []byte("mdcheck ")) {
			s.unclosed = append(s.unclosed, span{p.at(i), s.lineOf(p.at(i))})
		}
		return i + len("<!--")
	}
	end := i + shut + len("-->")
	known := len(s.notes)
	s.addNote(span{p.at(i), p.at(i) + end - i}, s.lineOf(p.at(i)), false)
	if len(s.notes) == known {
		return end
	}
	n := &s.notes[known]
	n.last = n.line
	if close := closing(p.text[end:]); close >= 0 {
		n.closed, n.shown = true, span{p.at(end), p.at(end + close)}
	}
	return end
}

// closing is where the closing comment begins, or -1.
func closing(text []byte) int {
	at := 0
	for {
		open := bytes.Index(text[at:], []byte("<!--"))
		if open < 0 {
			return -1
		}
		at += open
		shut := bytes.Index(text[at:], []byte("-->"))
		if shut < 0 {
			return -1
		}
		word := string(bytes.TrimSpace(text[at+len("<!--") : max(at+shut, at+len("<!--"))]))
		if word == "/mdcheck" {
			return at
		}
		if strings.HasPrefix(word, "mdcheck") {
			return -1
		}
		at += shut + len("-->")
	}
}
