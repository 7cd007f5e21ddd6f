package mdcheck

import (
	"bytes"
	"fmt"
	"html"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// links looks whether the relative links of the page lead to something that
// is there, and their anchors too. Nothing is fetched.
func (c *check) links() {
	reached := map[string]error{}
	for _, l := range c.page.links {
		if l.target == "" && l.label != "" {
			if !c.page.labels[l.label] {
				c.counts.Links++
				c.find(c.line(l.at), Link, "[%s] is defined nowhere in this document; write [%s]: target on a line of its own", l.label, l.label)
			}
			continue
		}
		if isRemote(l.target) || c.held[l.at] {
			continue
		}
		c.counts.Links++
		err, known := reached[l.target]
		if !known {
			err = c.reach(l.target)
			reached[l.target] = err
		}
		if err != nil {
			c.find(c.line(l.at), Link, "(%s): %s", l.target, err)
		}
	}
}

func (c *check) line(offset int) int { return c.page.lineOf(offset) }

// isRemote says whether a link leaves the repository by its form.
func isRemote(target string) bool {
	scheme, _, found := strings.Cut(target, ":")
	return strings.HasPrefix(target, "//") || found && scheme != "" && strings.Trim(strings.ToLower(scheme), "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

// reach follows one link. A path that begins with a slash is seen from the
// repository's root, as GitHub does.
func (c *check) reach(target string) error {
	address, anchor, _ := strings.Cut(target, "#")
	address, query, _ := strings.Cut(address, "?")
	name, err := url.PathUnescape(address)
	if err != nil {
		return fmt.Errorf("it is not well formed: %s", err)
	}
	if text, err := url.PathUnescape(anchor); err == nil {
		anchor = text
	}
	file := c.path
	if rooted, ok := strings.CutPrefix(name, "/"); ok {
		file = path.Clean("./" + rooted)
	} else if name != "" {
		if file, err = from(c.path, name); err != nil {
			return err
		}
	}
	c.uses[file] = true
	info, err := c.sources.root.Stat(file)
	if err != nil {
		return fmt.Errorf("there is no %s", file)
	}
	if info.IsDir() {
		file = path.Join(file, "README.md")
		if _, err := c.sources.root.Stat(file); err != nil || anchor == "" {
			return nil
		}
	}
	switch {
	case anchor == "":
		return nil
	case isMarkdown(file) && !strings.Contains(query, "plain=1"):
		return c.anchor(file, anchor)
	default:
		return c.lineAnchor(file, anchor)
	}
}

// anchor looks for a heading of a document, or for an id in its HTML.
func (c *check) anchor(file, anchor string) error {
	p := c.page
	if file != c.path {
		f, err := c.open(file)
		if err != nil {
			return err
		}
		p = f.scanned()
	}
	anchor = strings.TrimPrefix(anchor, "user-content-")
	if anchors := p.anchorSet(); !anchors[anchor] && anchor != "top" {
		return fmt.Errorf("%s has no heading #%s%s", file, anchor, c.suggest(anchor, func() []string { return slices.Collect(maps.Keys(anchors)) }))
	}
	return nil
}

// maxSuggestions is for how many misspelt words of a document the likeliest
// meaning is looked for, which takes a while for each.
const maxSuggestions = 100

func (c *check) suggest(word string, candidates func() []string) string {
	if c.suggested++; c.suggested > maxSuggestions {
		return ""
	}
	return template.Suggest(word, candidates())
}

// anchorSet are the anchors of the page: those of its headings, and the ids in
// its HTML.
func (p *page) anchorSet() map[string]bool {
	if p.slugs == nil {
		p.slugs = map[string]bool{}
		for _, name := range append(slugs(p.headings), p.anchors...) {
			p.slugs[name] = true
		}
	}
	return p.slugs
}

// scanned is the page of a document that another one links to.
func (f *source) scanned() *page {
	f.scan.Do(func() {
		f.page = scan(f.text)
		f.page.anchorSet() // now, since others read it at the same time
	})
	return f.page
}

// lineAnchor looks whether a file has the lines of #L12 or #L12-L40.
func (c *check) lineAnchor(file, anchor string) error {
	f, err := c.open(file)
	if err != nil {
		return nil // a picture has no lines, and is there
	}
	begin, end, isRange := strings.Cut(anchor, "-")
	if !isRange {
		end = begin
	}
	first, ok1 := lineNumber(begin)
	last, ok2 := lineNumber(end)
	lines := bytes.Count(f.text, []byte("\n"))
	if len(f.text) > 0 && f.text[len(f.text)-1] != '\n' {
		lines++
	}
	switch {
	case !ok1 || !ok2:
		return fmt.Errorf("%s has lines and no headings; #L12 and #L12-L40 lead to them", file)
	case first < 1 || last < first || last > lines:
		return fmt.Errorf("%s has %s", file, count(lines, "line"))
	}
	return nil
}

// lineNumber reads L12, or L12C3 with a column.
func lineNumber(text string) (int, bool) {
	digits, ok := strings.CutPrefix(text, "L")
	digits, _, _ = strings.Cut(digits, "C")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil
}

// slugs are the anchors that GitHub gives to headings: a repeated one gets
// -1, -2 and so on.
func slugs(headings []string) []string {
	taken := map[string]int{}
	var all []string
	for _, h := range headings {
		base := slug(h)
		name := base
		for {
			if _, is := taken[name]; !is {
				break
			}
			taken[base]++
			name = fmt.Sprintf("%s-%d", base, taken[base])
		}
		taken[name] = 0
		all = append(all, name)
	}
	return all
}

// slug is a heading in small letters without its punctuation, with - for
// spaces.
func slug(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(plainText(heading)) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-', r == '_', unicode.IsLetter(r), unicode.IsMark(r), unicode.IsDigit(r), unicode.Is(unicode.Pc, r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plainText is what a heading shows: the text of its links, and neither its
// pictures nor its tags. What is in backticks stays as it is.
func plainText(markdown string) string {
	var b strings.Builder
	text := []byte(markdown)
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch c := text[i]; {
		case c == '\\' && len(rest) > 1:
			i++
			b.WriteByte(text[i])
		case c == '`':
			n := run(rest, '`')
			if end := bytes.Index(rest[n:], rest[:n]); end >= 0 {
				b.WriteString(strings.TrimSpace(string(rest[n : n+end])))
				i += n + end
			}
			i += n - 1
		case c == '<' && len(rest) > 1 && (isLetter(rest[1]) || strings.IndexByte("/!", rest[1]) >= 0):
			if end := bytes.IndexByte(rest, '>'); end > 0 {
				i += end
			}
		case c == '&':
			entity := string(rest[:1+bytes.IndexByte(rest, ';')])
			if meant := html.UnescapeString(entity); meant != entity {
				b.WriteString(meant)
				i += len(entity) - 1
			}
		case bytes.HasPrefix(rest, []byte("![")):
			if shut := bytes.Index(rest, []byte("](")); shut > 0 {
				_, end := destination(text, i+shut+2)
				i = max(i, end-1)
			}
		case bytes.HasPrefix(rest, []byte("](")):
			if _, end := destination(text, i+2); end > 0 {
				i = end - 1
			}
		case bytes.HasPrefix(rest, []byte("][")):
			if end := bytes.IndexByte(rest[1:], ']'); end > 0 {
				i += 1 + end
			}
		case c == '_': // emphasis, unless it is within a word
			n := run(rest, '_')
			if i > 0 && n < len(rest) && isLetter(text[i-1]) && isLetter(rest[n]) {
				b.Write(rest[:n])
			}
			i += n - 1
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
