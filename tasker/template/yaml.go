package template

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// value is a YAML node with its aliases followed and its merge keys merged.
type value struct {
	line    int
	kind    yaml.Kind // ScalarNode, SequenceNode or MappingNode
	tag     string    // of a scalar: !!str, !!int, !!float, !!bool, !!null
	text    string
	items   []value
	entries []entry
}

type entry struct {
	key   string
	line  int
	value value
}

// What a source may unfold to. A bomb of aliases is refused long before it
// takes memory.
const (
	maxNodes     = 100_000
	maxYAMLDepth = 32
)

// unfold turns nodes into values within those bounds.
type unfold struct{ nodes int }

// atLine is an error of one line of a source.
type atLine struct {
	line int
	text string
}

func (e atLine) Error() string { return e.text }

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// parseYAML reads one document.
func parseYAML(source []byte) (value, error) {
	if len(source) > MaxSize {
		return value{}, atLine{1, fmt.Sprintf("the file has %d bytes; the limit is %d", len(source), MaxSize)}
	}
	var document, another yaml.Node
	d := yaml.NewDecoder(strings.NewReader(string(source)))
	if err := d.Decode(&document); err != nil {
		if errors.Is(err, io.EOF) {
			return value{}, atLine{1, "the file is empty"}
		}
		return value{}, syntaxError(err)
	}
	if err := d.Decode(&another); err == nil {
		return value{}, atLine{another.Line, "a second document begins here; a file holds one template"}
	} else if !errors.Is(err, io.EOF) {
		return value{}, syntaxError(err)
	}
	return (&unfold{}).value(document.Content[0], 0)
}

func syntaxError(err error) error {
	text := err.Error()
	line := 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	return atLine{line, "this is not YAML: " + strings.TrimPrefix(text, "yaml: ")}
}

func (u *unfold) value(n *yaml.Node, depth int) (value, error) {
	u.nodes++
	switch {
	case u.nodes > maxNodes:
		return value{}, atLine{n.Line, fmt.Sprintf("the file unfolds to more than %d values; it repeats itself by aliases", maxNodes)}
	case depth > maxYAMLDepth:
		return value{}, atLine{n.Line, fmt.Sprintf("nested deeper than %d levels", maxYAMLDepth)}
	case n.Kind == yaml.AliasNode:
		return u.value(n.Alias, depth+1)
	case n.Style&yaml.TaggedStyle != 0 && !strings.HasPrefix(n.ShortTag(), "!!"):
		return value{}, atLine{n.Line, fmt.Sprintf("the tag %s is not known here", n.Tag)}
	}
	v := value{line: n.Line, kind: n.Kind, tag: n.ShortTag(), text: n.Value}
	switch n.Kind {
	case yaml.SequenceNode:
		for _, item := range n.Content {
			x, err := u.value(item, depth+1)
			if err != nil {
				return value{}, err
			}
			v.items = append(v.items, x)
		}
	case yaml.MappingNode:
		return v, u.mapping(n, &v, depth)
	}
	return v, nil
}

func (u *unfold) mapping(n *yaml.Node, v *value, depth int) error {
	var merged []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return atLine{key.Line, "a key must be a plain word"}
		}
		x, err := u.value(n.Content[i+1], depth+1)
		switch {
		case err != nil:
			return err
		case key.ShortTag() != "!!merge":
			v.entries = append(v.entries, entry{key.Value, n.Content[i].Line, x})
		case x.kind == yaml.MappingNode:
			merged = append(merged, x.entries...)
		case x.kind == yaml.SequenceNode:
			for _, part := range x.items {
				merged = append(merged, part.entries...)
			}
		default:
			return atLine{key.Line, "<< wants a mapping to merge"}
		}
	}
	if len(merged) == 0 {
		return nil
	}
	given := make(map[string]bool, len(v.entries))
	for i := range v.entries {
		given[v.entries[i].key] = true
	}
	for _, e := range merged { // what is written out wins over what is merged, the first over later ones
		if !given[e.key] {
			given[e.key] = true
			v.entries = append(v.entries, e)
		}
	}
	return nil
}

func (v *value) has(key string) bool {
	for i := range v.entries {
		if v.entries[i].key == key {
			return true
		}
	}
	return false
}

// plain is the value as JSON has it. Keys lose a leading colon, but not in a
// JSON Schema, where a colon may be part of a name.
func (v *value) plain(isSchema bool) any {
	switch v.kind {
	case yaml.SequenceNode:
		list := make([]any, len(v.items))
		for i := range v.items {
			list[i] = v.items[i].plain(isSchema)
		}
		return list
	case yaml.MappingNode:
		object := make(map[string]any, len(v.entries))
		for i := range v.entries {
			key := v.entries[i].key
			if !isSchema {
				key = strings.TrimPrefix(key, ":")
			}
			object[key] = v.entries[i].value.plain(isSchema)
		}
		return object
	}
	var scalar any
	if v.tag == "!!timestamp" || v.tag == "!!binary" || (&yaml.Node{Kind: yaml.ScalarNode, Tag: v.tag, Value: v.text}).Decode(&scalar) != nil {
		return v.text
	}
	return scalar
}
