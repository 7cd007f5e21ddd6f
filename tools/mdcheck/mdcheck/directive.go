package mdcheck

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// A directive says where the truth of a fence or of a value is. Its keys and
// values are written as in a shell: key=value, with quotes around a value that
// has spaces. One of them says what kind it is.
type directive struct {
	kind   string // src, yaml, mermaid, run, test, skip, document
	values []value
}

// value is what a key stands for, and where in the page that is written,
// quotes and all.
type value struct {
	key, text string
	at        span
	bare      bool // a word without a value
}

// value is that of a key, or an empty one.
func (d *directive) value(key string) value {
	for _, v := range d.values {
		if v.key == key {
			return v
		}
	}
	return value{}
}

func (d *directive) get(key string) string { return d.value(key).text }

func (d *directive) has(key string) bool { return d.value(key).key != "" }

// kinds are the directives, each with the keys it knows. A kind that is bare
// is a word; any other is itself a key with a value.
var kinds = []struct {
	name  string
	bare  bool
	keys  []string
	needs []string
}{
	{name: "src", keys: []string{"sym", "with", "region", "stmt", "omit"}},
	{name: "yaml", keys: []string{"path"}, needs: []string{"path"}},
	{name: "mermaid"},
	{name: "run", bare: true, keys: []string{"dir", "timeout", "scrub"}},
	{name: "test", keys: []string{"value", "pkg"}, needs: []string{"value"}},
	{name: "skip", bare: true, keys: []string{"reason"}, needs: []string{"reason"}},
	{name: "document", bare: true, keys: []string{"sources", "allow", "coverage", "handlers"}},
}

// parseDirective reads the text between `<!-- mdcheck` and `-->`, which begins
// at an offset of the page. The error says what is wrong with it and what
// would be right.
func parseDirective(text string, offset int) (*directive, error) {
	words, err := cutWords(text, offset)
	if err != nil {
		return nil, err
	}
	// What kind it is decides which keys it may have, wherever it stands.
	if i := slices.IndexFunc(words, func(v value) bool { return slices.Contains(kindNames, v.key) }); i > 0 {
		words = slices.Insert(slices.Delete(slices.Clone(words), i, i+1), 0, words[i])
	}
	d := &directive{values: words[:0]}
	for _, v := range words {
		if err := d.add(v); err != nil {
			return nil, err
		}
	}
	if err := d.complete(); err != nil {
		return nil, err
	}
	return d, nil
}

// cutWords cuts a directive into its keys and values.
func cutWords(text string, offset int) (words []value, err error) {
	words = make([]value, 0, strings.Count(text, "=")+1)
	for rest := text; ; {
		rest = strings.TrimLeft(rest, " \t\r\n")
		if rest == "" {
			return words, nil
		}
		n := strings.IndexAny(rest, "= \t\r\n\"'")
		switch {
		case n < 0:
			n = len(rest)
		case n == 0:
			return nil, fmt.Errorf("%s: there is no key; one is written as src=a.go", strings.TrimSpace(rest))
		}
		v := value{key: rest[:n]}
		rest = rest[n:]
		if v.bare = rest == "" || rest[0] != '='; !v.bare {
			begin := offset + len(text) - len(rest) + 1
			if v.text, rest, err = word(rest[1:]); err != nil {
				return nil, fmt.Errorf("%s=%w", v.key, err)
			}
			v.at = span{begin, offset + len(text) - len(rest)}
		}
		words = append(words, v)
	}
}

// word reads a value: plain up to a space, or quoted.
func word(text string) (value, rest string, err error) {
	if n := strings.IndexAny(text, " \t\r\n\"'"); n < 0 || strings.IndexByte("\"'", text[n]) < 0 {
		if n < 0 {
			n = len(text)
		}
		return text[:n], text[n:], nil
	}
	var b strings.Builder
	quote := byte(0)
	i := 0
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == 0 && strings.IndexByte(" \t\r\n", c) >= 0:
			return b.String(), text[i:], nil
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		case c == '\\' && quote == '"' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	if quote != 0 {
		return "", "", fmt.Errorf("%s: the quote is never closed", text)
	}
	return b.String(), "", nil
}

// quoted writes a value as a directive does.
func quoted(text string) string {
	if text != "" && !strings.ContainsAny(text, " \t\r\n\"'\\") {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

func (d *directive) add(v value) error {
	key := v.key
	keys := keysOf(d.kind)
	switch {
	case d.has(key):
		return fmt.Errorf("%s is given twice", key)
	case d.kind == "":
		if err := d.begin(v); err != nil {
			return err
		}
	case !slices.Contains(keys, key):
		return fmt.Errorf("%s knows no key %q%s", d.kind, key, known(key, keys, "it takes"))
	case v.bare:
		return fmt.Errorf("%s needs a value: %s=…", key, key)
	}
	if !v.bare && strings.TrimSpace(v.text) == "" {
		return fmt.Errorf("%s is empty", key)
	}
	d.values = append(d.values, v)
	return nil
}

// begin takes the word that says what kind of directive it is.
func (d *directive) begin(v value) error {
	for _, k := range kinds {
		switch {
		case k.name != v.key:
		case k.bare && !v.bare:
			return fmt.Errorf("%s is a word of its own and takes no value", v.key)
		case v.bare && !k.bare:
			return fmt.Errorf("%s needs a value: %s=…", v.key, v.key)
		default:
			d.kind = k.name
			return nil
		}
	}
	return fmt.Errorf("there is no directive %q%s", v.key, known(v.key, kindNames, "one has"))
}

// known is the end of a message about a word that is not among those.
func known(key string, keys []string, takes string) string {
	if len(keys) == 0 {
		return "; it takes none"
	}
	if near := template.Suggest(key, keys); near != "" {
		return near
	}
	return "; " + takes + " " + strings.Join(keys, ", ")
}

var kindNames = func() (names []string) {
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}()

func keysOf(kind string) []string {
	for _, k := range kinds {
		if k.name == kind {
			return k.keys
		}
	}
	return nil
}

// complete looks for what is missing, and for keys that do not go together.
func (d *directive) complete() error {
	if d.kind == "" {
		return fmt.Errorf("it is empty; it begins with %s", strings.Join(kindNames, ", "))
	}
	for _, k := range kinds {
		if k.name != d.kind {
			continue
		}
		for _, key := range k.needs {
			if !d.has(key) {
				return fmt.Errorf("%s needs %s=…", d.kind, key)
			}
		}
	}
	for _, key := range []string{"with", "stmt"} {
		if d.has(key) && !d.has("sym") {
			return fmt.Errorf("%s=… needs sym=…, which it looks into", key)
		}
	}
	switch {
	case d.has("with") && d.get("with") != "doc":
		return fmt.Errorf("with=%s is not known; there is with=doc", d.get("with"))
	case d.has("stmt") && d.has("region"):
		return fmt.Errorf("stmt and region exclude each other: each says which part is shown")
	case d.has("with") && (d.has("stmt") || d.has("region")):
		return fmt.Errorf("with=doc shows the whole declaration, so it goes with neither stmt nor region")
	}
	return nil
}
