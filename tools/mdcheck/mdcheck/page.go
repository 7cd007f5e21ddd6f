package mdcheck

import (
	"bytes"
	"slices"
	"strings"
)

// A page is a markdown file read line by line, as GitHub reads it: what is a
// fence, what is a comment, what is a heading, and what is text. Offsets count
// bytes from the start of the file, so that a fix can replace exactly them;
// lines count from 1.
type page struct {
	text     []byte
	fences   []fence
	notes    []note
	links    []link
	labels   map[string]bool // of link definitions, as they compare
	names    []span          // code in the text: `ChargeCard`
	headings []string        // their markdown
	anchors  []string        // ids given in HTML
	unclosed []span          // comments without an end: offset and line
	breaks   []int           // offsets of the line feeds, once somebody asks
	slugs    map[string]bool // of the headings, and the anchors, once somebody asks
}

// span is a stretch of the file.
type span struct{ start, end int }

// fence is a fenced code block.
type fence struct {
	line       int
	start, end int    // of the whole block, without the last line ending
	info       span   // what follows the opening backticks
	body       span   // whole lines, with their endings
	mark       byte   // ` or ~
	length     int    // of the opening run
	tail       int    // of the closing run; 0 when there is none
	lead       string // before each line: quote signs and spaces
	indent     int    // of the fence itself, behind its quotes and lists
	moved      bool   // its lines do not begin where the page's do
	text       []byte // of a moved one: what it shows
	crlf       bool
}

// note is an HTML comment that begins with the word mdcheck.
type note struct {
	line, last int // of its first and its last line
	whole      span
	body       span       // between the word and the -->
	alone      bool       // on lines of its own, so that it may speak of a fence
	shown      span       // inline: what stands before the closing comment
	closed     bool       // inline: there is a closing comment
	says       *directive // once it is parsed; nil when it is broken
	taken      bool       // by the fence below it
}

type link struct {
	at     int // offset
	target string
	label  string // of [text][label], whose definition must exist
}

// language is the first word behind the opening backticks, in small letters.
func (p *page) language(f *fence) string {
	fields := strings.Fields(string(p.text[f.info.start:f.info.end]))
	if len(fields) == 0 {
		return ""
	}
	return strings.ToLower(strings.Trim(fields[0], "{}."))
}

// code is what the fence shows, with plain line endings.
func (p *page) code(f *fence) []byte {
	body := p.text[f.body.start:f.body.end]
	switch {
	case f.moved:
		return f.text
	case f.crlf:
		return bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	default:
		return body
	}
}

// lineOf is the number of the line with the offset.
func lineOf(text []byte, offset int) int {
	return 1 + bytes.Count(text[:min(offset, len(text))], []byte{'\n'})
}

// lineOf is the number of the line with the offset.
func (p *page) lineOf(offset int) int {
	if p.breaks == nil {
		p.breaks = make([]int, 0, 1+bytes.Count(p.text, []byte{'\n'}))
		for i, c := range p.text {
			if c == '\n' {
				p.breaks = append(p.breaks, i)
			}
		}
	}
	n, _ := slices.BinarySearch(p.breaks, offset)
	return n + 1
}
