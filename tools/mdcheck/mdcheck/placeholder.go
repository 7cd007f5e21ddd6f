package mdcheck

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// What changes from run to run in an output is a duration, an id, a time or a
// port. Each kind is told by its form; nothing else is ever let pass.
var placeholders = sync.OnceValue(func() map[string]*placeholder {
	const unit = `(?:ns|µs|μs|us|ms|s|m|h)`
	const clock = `\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?`
	kinds := map[string]*placeholder{
		"duration": {one: `-?\d+(?:\.\d+)?` + unit + `(?:\d+(?:\.\d+)?` + unit + `)*|-?\d+(?:\.\d+)? (?:ns|µs|μs|us|ms|s)`},
		"uuid":     {one: `[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}`},
		"time":     {one: `\d{4}[-/]\d{2}[-/]\d{2}(?:[T ]` + clock + `)?|` + clock},
		"port":     {one: `\d{1,5}`, before: `(?i:localhost:|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}:|\]:|\bport[ =:])`},
	}
	for _, p := range kinds {
		before := p.before
		if before == "" {
			before = `(?:^|[^\w.])`
		}
		p.find = regexp.MustCompile(`(` + before + `)(?:` + p.one + `)\b`)
	}
	return kinds
})

// placeholder is one kind of what changes.
type placeholder struct {
	one    string // pattern of one of it
	before string // pattern of what must stand before one in plain text
	find   *regexp.Regexp
}

// placeholderKinds are in the order in which they are looked for: a time holds
// digits that would pass for others.
var placeholderKinds = []string{"uuid", "time", "duration", "port"}

// scrub says which kinds may differ in a transcript.
type scrub struct {
	kinds    []string // in the fence and in the output, whatever the figures
	named    []string // where the fence says <kind>
	patterns map[string]*regexp.Regexp
}

func newScrub(kinds, text string) (*scrub, error) {
	s := &scrub{patterns: map[string]*regexp.Regexp{}}
	for _, k := range strings.FieldsFunc(kinds, func(r rune) bool { return r == ',' || r == ' ' }) {
		if !slices.Contains(placeholderKinds, k) {
			return nil, fmt.Errorf("scrub=%s is not known; there is duration, uuid, time, port", k)
		}
		s.kinds = append(s.kinds, k)
	}
	for _, k := range placeholderKinds {
		if strings.Contains(text, "<"+k+">") {
			s.named = append(s.named, k)
		}
	}
	return s, nil
}

// loose says whether columns may be wider or narrower than the fence has them,
// since what is in them is.
func (s *scrub) loose() bool { return len(s.kinds)+len(s.named) > 0 }

// line is a line of a fence or of an output: as it is written, without the
// spaces behind it, and with words for the figures that may differ.
type line struct{ written, text, plain string }

func (s *scrub) lines(written []string) []line {
	lines := make([]line, len(written))
	for i, text := range written {
		lines[i] = line{written: text, text: strings.TrimRight(text, " \t")}
		if s.loose() {
			lines[i].plain = s.plain(text)
		}
	}
	return lines
}

// matches says whether a line of the fence allows a line of the output.
func (s *scrub) matches(expected, actual *line) bool {
	switch {
	case expected.text == actual.text:
		return true
	case !s.loose():
		return false
	case expected.plain == actual.plain:
		return true
	}
	pattern, known := s.patterns[expected.plain]
	if !known {
		pattern = s.pattern(expected.plain)
		s.patterns[expected.plain] = pattern
	}
	return pattern != nil && pattern.MatchString(actual.plain)
}

// plain is a line with a word in place of each figure that may differ, and
// one space in place of several.
func (s *scrub) plain(line string) string {
	line = replaceKinds(line, s.kinds)
	lead := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	text := strings.Join(strings.Fields(line), " ")
	if startsWithFigure(text) {
		lead = "" // a column that is aligned to the right
	}
	return lead + text
}

func startsWithFigure(text string) bool {
	if strings.HasPrefix(text, "<") {
		return true
	}
	for _, k := range placeholderKinds {
		if k == "port" {
			continue
		}
		if at := placeholders()[k].find.FindStringIndex(text); at != nil && at[0] == 0 {
			return true
		}
	}
	return false
}

// replaceKinds puts <kind> in place of each figure of the kinds.
func replaceKinds(line string, kinds []string) string {
	for _, k := range placeholderKinds {
		if slices.Contains(kinds, k) {
			line = placeholders()[k].find.ReplaceAllString(line, "${1}<"+k+">")
		}
	}
	return line
}

// pattern matches what a line with placeholders allows; nil when it has none.
func (s *scrub) pattern(line string) *regexp.Regexp {
	pattern := regexp.QuoteMeta(line)
	has := false
	for _, k := range s.named {
		if slices.Contains(s.kinds, k) {
			continue // is a word in the output too
		}
		if word := "<" + k + ">"; strings.Contains(pattern, word) {
			pattern, has = strings.ReplaceAll(pattern, word, "(?:"+placeholders()[k].one+")"), true
		}
	}
	if !has {
		return nil
	}
	return regexp.MustCompile("^" + pattern + "$")
}
