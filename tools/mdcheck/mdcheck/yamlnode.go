package mdcheck

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// A YAML node is shown as the lines that hold it, with its key or its dash,
// the comments directly above it, and those within it.

// yamlNode follows a directive yaml=… path=….
func (c *check) yamlNode(d *directive) (*excerpt, error) {
	f, err := c.source(d.get("yaml"))
	if err != nil {
		return nil, err
	}
	steps, err := yamlSteps(d.get("path"))
	if err != nil {
		return nil, err
	}
	var tree yaml.Node
	if err := yaml.Unmarshal(f.text, &tree); err != nil {
		return nil, fmt.Errorf("%s does not parse: %s", d.get("yaml"), strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(tree.Content) == 0 {
		return nil, fmt.Errorf("%s is empty", d.get("yaml"))
	}
	place := &yamlPlace{node: tree.Content[0]}
	for i, step := range steps {
		if place, err = place.follow(step); err != nil {
			return nil, fmt.Errorf("%s: path=%s: at %s %w", d.get("yaml"), d.get("path"), strings.Join(steps[:i], "")+step, err)
		}
	}
	e := &excerpt{source: f, at: span{0, len(f.text)}}
	if place.head != nil {
		if place.flow {
			return nil, fmt.Errorf("%s: path=%s is inside of { } or [ ]; name the node around it", d.get("yaml"), d.get("path"))
		}
		e.at = place.lines(f.text)
	}
	return e, e.cutOut(nil)
}

// yamlSteps cuts a path .steps[name=x].retry into its steps. A key with a dot
// or bracket in it is quoted: ."a.b".
func yamlSteps(path string) (steps []string, err error) {
	rest := path
	if rest == "." {
		return nil, nil
	}
	for rest != "" {
		n := 0
		switch {
		case strings.HasPrefix(rest, `."`):
			n = strings.IndexByte(rest[2:], '"') + 3
			if n == 2 {
				return nil, fmt.Errorf("path=%s: the quote is never closed", path)
			}
		case rest[0] == '.':
			if n = strings.IndexAny(rest[1:], ".[") + 1; n == 0 {
				n = len(rest)
			}
		case rest[0] == '[':
			n = strings.IndexByte(rest, ']') + 1
		}
		if n < 2 {
			return nil, fmt.Errorf("path=%s is none; one is written like .steps[1].retry or .steps[name=pay], and the whole document is a dot", path)
		}
		steps, rest = append(steps, rest[:n]), rest[n:]
	}
	return steps, nil
}

// yamlPlace is a node on the way of a path.
type yamlPlace struct {
	node *yaml.Node
	head *yaml.Node // its key, or itself in a sequence: where its lines begin
	next *yaml.Node // what comes behind it
	flow bool
}

func (p *yamlPlace) follow(step string) (*yamlPlace, error) {
	node := p.node
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	flow := p.flow || node.Style&yaml.FlowStyle != 0
	if step[0] == '.' {
		return p.key(node, strings.Trim(step[1:], `"`), flow)
	}
	if node.Kind != yaml.SequenceNode {
		return nil, fmt.Errorf("there is no list")
	}
	wanted := strings.Trim(step, "[]")
	at, err := strconv.Atoi(wanted)
	if key, value, named := strings.Cut(wanted, "="); named {
		at = slices.IndexFunc(node.Content, func(item *yaml.Node) bool { return hasPair(item, key, value) })
		if at < 0 {
			return nil, fmt.Errorf("no item has it")
		}
	} else if err != nil {
		return nil, fmt.Errorf("is neither a number from 0 nor key=value")
	}
	if at < 0 || at >= len(node.Content) {
		return nil, fmt.Errorf("the list has %s, counted from 0", count(len(node.Content), "item"))
	}
	to := &yamlPlace{node: node.Content[at], head: node.Content[at], next: p.next, flow: flow}
	if at+1 < len(node.Content) {
		to.next = node.Content[at+1]
	}
	return to, nil
}

func (p *yamlPlace) key(node *yaml.Node, name string, flow bool) (*yamlPlace, error) {
	if node.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("there are no keys")
	}
	var names []string
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value != name {
			names = append(names, node.Content[i].Value)
			continue
		}
		to := &yamlPlace{node: node.Content[i+1], head: node.Content[i], next: p.next, flow: flow}
		if i+2 < len(node.Content) {
			to.next = node.Content[i+2]
		}
		return to, nil
	}
	return nil, fmt.Errorf("there is only %s", strings.Join(names, ", "))
}

func hasPair(item *yaml.Node, key, value string) bool {
	for i := 0; item.Kind == yaml.MappingNode && i+1 < len(item.Content); i += 2 {
		if item.Content[i].Value == key && item.Content[i+1].Value == value {
			return true
		}
	}
	return false
}

// lines are those of the node: from the comments directly above it, down to
// the node that follows, without the comments that belong to that one.
func (p *yamlPlace) lines(text []byte) span {
	lines := bytes.SplitAfter(text, []byte("\n"))
	first := p.head.Line - 1
	indent := leadOf(lines[first])
	for first > 0 && isComment(lines[first-1]) && leadOf(lines[first-1]) == indent {
		first--
	}
	last := len(lines)
	if p.next != nil {
		last = p.next.Line - 1
	}
	for last > p.head.Line && (len(bytes.TrimSpace(lines[last-1])) == 0 || isComment(lines[last-1]) && leadOf(lines[last-1]) <= indent) {
		last--
	}
	at := span{}
	for i, line := range lines[:last] {
		if i < first {
			at.start += len(line)
		}
		at.end += len(line)
	}
	return at
}

func leadOf(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " ")) }

func isComment(line []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) }
