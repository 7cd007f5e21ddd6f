package payload

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// scanner reads a document once. Its methods take the place where something
// starts and give the place after it, or -1 for a fault.
type scanner struct {
	doc     []byte
	compare bool // refuse ambiguous keys
	fault   string
	path    []string // to the fault, from the inside out
}

func (s *scanner) run() error {
	i := s.value(0, 0)
	if i >= 0 {
		if i = s.space(i); i < len(s.doc) {
			i = s.syntax(i)
		}
	}
	if i < 0 {
		return &Error{pointer(s.path), s.fault}
	}
	return nil
}

func (s *scanner) fail(fault string) int {
	s.fault = fault
	return -1
}

func (s *scanner) syntax(i int) int {
	switch {
	case len(bytes.TrimSpace(s.doc)) == 0:
		return s.fail("not JSON: the document is empty")
	case i >= len(s.doc):
		return s.fail("not JSON: the document ends too early")
	case s.doc[i] == 0:
		return s.fail(faultNUL)
	case s.doc[i] >= utf8.RuneSelf && !utf8.Valid(s.doc[i:]):
		return s.fail(faultUTF8)
	}
	r, _ := utf8.DecodeRune(s.doc[i:])
	return s.fail(fmt.Sprintf("not JSON: unexpected %q at byte %d", r, i+1))
}

// at is the byte at i; 0, which fits nowhere, after the end.
func (s *scanner) at(i int) byte {
	if i < len(s.doc) {
		return s.doc[i]
	}
	return 0
}

// space skips blanks, which compact documents have none of.
func (s *scanner) space(i int) int {
	if i < len(s.doc) && s.doc[i] > ' ' {
		return i
	}
	return s.blanks(i)
}

func (s *scanner) blanks(i int) int {
	for c := s.at(i); c == ' ' || c == '\n' || c == '\t' || c == '\r'; c = s.at(i) {
		i++
	}
	return i
}

func (s *scanner) value(i, depth int) int {
	i = s.space(i)
	switch c := s.at(i); c {
	case '"':
		return s.text(i)
	case '{':
		return s.object(i, depth+1)
	case '[':
		return s.array(i, depth+1)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		return s.number(i)
	}
}

func (s *scanner) literal(i int, word string) int {
	if !bytes.HasPrefix(s.doc[i:], []byte(word)) {
		return s.syntax(i)
	}
	return i + len(word)
}

func (s *scanner) array(i, depth int) int {
	if depth > MaxDepth {
		return s.fail(faultDepth)
	}
	if i = s.space(i + 1); s.at(i) == ']' {
		return i + 1
	}
	for n := 0; ; n++ {
		if i = s.value(i, depth); i < 0 {
			s.path = append(s.path, strconv.Itoa(n))
			return i
		}
		i = s.space(i)
		switch s.at(i) {
		case ',':
			i++
		case ']':
			return i + 1
		default:
			return s.syntax(i)
		}
	}
}

func (s *scanner) object(i, depth int) int {
	if depth > MaxDepth {
		return s.fail(faultDepth)
	}
	if i = s.space(i + 1); s.at(i) == '}' {
		return i + 1
	}
	var seen map[string]bool // keys, folded
	if s.compare {
		seen = map[string]bool{}
	}
	for {
		if i = s.space(i); s.at(i) != '"' {
			return s.syntax(i)
		}
		key := i
		if i = s.text(i); i < 0 {
			if !strings.HasPrefix(s.fault, "not JSON") {
				s.fault = "a key with " + s.fault
			}
			return i
		}
		end := i
		if i = s.space(i); s.at(i) != ':' {
			return s.syntax(i)
		}
		if s.compare {
			name := unquoted(s.doc[key:end])
			folded := fold(name)
			if seen[folded] {
				return s.fail(fmt.Sprintf("the key %q comes twice, letter case aside", short(name)))
			}
			seen[folded] = true
		}
		if i = s.value(i+1, depth); i < 0 {
			s.path = append(s.path, unquoted(s.doc[key:end]))
			return i
		}
		i = s.space(i)
		switch s.at(i) {
		case ',':
			i++
		case '}':
			return i + 1
		default:
			return s.syntax(i)
		}
	}
}

// fold gives keys that differ in case only the same form, as bytes.EqualFold
// and encoding/json compare them.
func fold(key string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		if 'A' <= least && least <= 'Z' {
			least += 'a' - 'A' // keys in small letters need no copy
		}
		return least
	}, key)
}

// number reads a number as RFC 8259 section 6 has it.
func (s *scanner) number(i int) int {
	doc := s.doc
	if i < len(doc) && doc[i] == '-' {
		i++
	}
	start := i
	for i < len(doc) && doc[i]-'0' <= 9 {
		i++
	}
	switch {
	case i == start:
		return s.syntax(i)
	case doc[start] == '0' && i > start+1:
		return s.syntax(start + 1)
	}
	size := i - start
	if s.at(i) == '.' {
		start, i = i+1, s.digits(i+1)
		if i == start {
			return s.syntax(i)
		}
		size += i - start
	}
	if s.at(i)|0x20 == 'e' {
		if i++; s.at(i) == '+' || s.at(i) == '-' {
			i++
		}
		start, i = i, s.digits(i)
		if i == start {
			return s.syntax(i)
		}
		exponent := 0
		for _, c := range doc[start:i] {
			exponent = min(exponent*10+int(c-'0'), MaxNumber+1)
		}
		size += exponent
	}
	if size > MaxNumber {
		return s.fail(faultNumber)
	}
	return i
}

func (s *scanner) digits(i int) int {
	for i < len(s.doc) && s.doc[i]-'0' <= 9 {
		i++
	}
	return i
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x80 * everyByte
)

// special marks, by its high bit, the lowest of eight bytes that is a quote, a
// backslash or a control character; 0 when there is none. Bits above the
// lowest one mean nothing. ("Bit Twiddling Hacks", haszero and hasless.)
func special(w uint64) uint64 {
	quote, backslash := w^'"'*everyByte, w^'\\'*everyByte
	return ((quote-everyByte)&^quote | (backslash-everyByte)&^backslash | (w-' '*everyByte)&^w) & highBits
}

// text reads a string.
func (s *scanner) text(i int) int {
	doc, start := s.doc, i
	var high uint64 // bytes beyond ASCII set its high bits
	for i++; ; {
		for i+8 <= len(doc) {
			w := binary.LittleEndian.Uint64(doc[i:])
			if stop := special(w); stop != 0 {
				n := bits.TrailingZeros64(stop)
				high |= w & (1<<n - 1)
				i += n / 8
				break
			}
			high |= w
			i += 8
		}
		for i < len(doc) && doc[i] >= ' ' && doc[i] != '"' && doc[i] != '\\' {
			high |= uint64(doc[i])
			i++
		}
		if i >= len(doc) || doc[i] < ' ' {
			return s.syntax(i)
		}
		if doc[i] == '"' {
			if high&highBits != 0 && !utf8.Valid(doc[start:i]) {
				return s.fail(faultUTF8)
			}
			return i + 1
		}
		if i = s.escape(i + 1); i < 0 {
			return i
		}
	}
}

// escape reads what follows a backslash.
func (s *scanner) escape(i int) int {
	switch s.at(i) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
	default:
		return s.syntax(i)
	}
	r := s.hex(i + 1)
	switch {
	case r < 0:
		return s.fail(fmt.Sprintf(`not JSON: \u without four hexadecimal digits at byte %d`, i))
	case r == 0:
		return s.fail(faultNUL)
	case 0xd800 <= r && r < 0xdc00: // RFC 8259 section 7: the other half must follow
		if low := s.hex(i + 7); s.at(i+5) != '\\' || s.at(i+6) != 'u' || low < 0xdc00 || low > 0xdfff {
			return s.fail(faultSurrogate)
		}
		return i + 11
	case 0xdc00 <= r && r <= 0xdfff:
		return s.fail(faultSurrogate)
	}
	return i + 5
}

// hex is the number that four hexadecimal digits stand for, or -1.
func (s *scanner) hex(i int) rune {
	var r rune
	for k := range 4 {
		c := s.at(i + k)
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// unquoted is the text of a valid JSON string.
func unquoted(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var text string
	_ = json.Unmarshal(quoted, &text)
	return text
}
