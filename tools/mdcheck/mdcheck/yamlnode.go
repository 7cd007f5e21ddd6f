package mdcheck

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// A YAML node is shown as the lines that hold it, with its key or its dash,
// the comments directly above it, and those within it.

// yamlNode follows a directive yaml=… path=….
func (c *check) yamlNode(d *directive) (*excerpt, error) {
	name, path := d.get("yaml"), d.get("path")
	f, err := c.source(name)
	if err != nil {
		return nil, err
	}
	steps, err := yamlSteps(path)
	if err != nil {
		return nil, err
	}
	documents, err := yamlDocuments(f.text)
	if err != nil {
		return nil, fmt.Errorf("%s %w", name, err)
	}
	e := &excerpt{source: f, at: span{len(byteOrderMark(f.text)), len(f.text)}}
	if len(steps) == 0 {
		return e, e.cutOut(nil)
	}
	var found []*yamlPlace
	for _, document := range documents {
		place, wrong := document.follow(steps)
		switch {
		case wrong == nil:
			found = append(found, place)
		case err == nil:
			err = wrong
		}
	}
	switch {
	case len(found) == 0:
		return nil, fmt.Errorf("%s: path=%s: %w", name, path, err)
	case len(found) > 1:
		return nil, fmt.Errorf("%s: path=%s is there in %d of its documents, at lines %d and %d; say more of it, or show a region", name, path, len(found), found[0].line, found[1].line)
	case found[0].flow:
		return nil, fmt.Errorf("%s: path=%s is inside of { } or [ ]; name the node around it", name, path)
	}
	e.at = found[0].lines(f.text)
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
		if strings.HasPrefix(rest, ".[") {
			rest = rest[1:]
		}
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

// yamlDocument is one of those that a file holds, up to the line that begins
// the next one.
type yamlDocument struct {
	root *yaml.Node
	end  int
}

func yamlDocuments(text []byte) (found []*yamlDocument, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var tree yaml.Node
		err := decoder.Decode(&tree)
		switch {
		case err == io.EOF && len(found) == 0:
			return nil, errors.New("is empty")
		case err == io.EOF:
			found[len(found)-1].end = len(yamlLines(text)) + 1
			return found, nil
		case err != nil:
			return nil, fmt.Errorf("does not parse: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		}
		if len(found) > 0 {
			found[len(found)-1].end = tree.Line
		}
		found = append(found, &yamlDocument{root: tree.Content[0]})
	}
}

// yamlPlace is a node on the way of a path, and where it begins: at its key, or
// behind its dash.
type yamlPlace struct {
	document     *yamlDocument
	node         *yaml.Node
	line, column int
	dash         bool // it is an item of a list
	flow         bool
}

func (d *yamlDocument) follow(steps []string) (*yamlPlace, error) {
	place := &yamlPlace{document: d, node: d.root}
	for i, step := range steps {
		to, err := place.follow(step)
		if err != nil {
			return nil, fmt.Errorf("at %s %w", strings.Join(steps[:i+1], ""), err)
		}
		place = to
	}
	return place, nil
}

func (p *yamlPlace) follow(step string) (*yamlPlace, error) {
	in := p.node
	for in.Kind == yaml.AliasNode {
		in = in.Alias
	}
	to := &yamlPlace{document: p.document, flow: p.flow || in.Style&yaml.FlowStyle != 0}
	var err error
	if step[0] == '.' {
		err = to.key(in, strings.Trim(step[1:], `"`))
	} else {
		err = to.item(in, strings.Trim(step, "[]"))
	}
	return to, err
}

// item goes to an item of a list, by its number or by what it has.
func (p *yamlPlace) item(list *yaml.Node, wanted string) error {
	if list.Kind != yaml.SequenceNode {
		return errors.New("there is no list")
	}
	var found []*yaml.Node
	key, value, named := strings.Cut(wanted, "=")
	number, err := strconv.Atoi(wanted)
	for i, item := range list.Content {
		if named && hasPair(item, key, strings.Trim(value, `"'`)) || !named && i == number {
			found = append(found, item)
		}
	}
	switch {
	case !named && err != nil:
		return errors.New("is neither a number from 0 nor key=value")
	case !named && len(found) == 0:
		return fmt.Errorf("the list has %s, counted from 0", count(len(list.Content), "item"))
	case len(found) == 0:
		return errors.New("no item has it")
	case len(found) > 1:
		return fmt.Errorf("%d items have it, at lines %d and %d", len(found), found[0].Line, found[1].Line)
	}
	p.node, p.dash, p.line, p.column = found[0], true, found[0].Line, found[0].Column
	return nil
}

func hasPair(item *yaml.Node, key, value string) bool {
	for i := 0; item.Kind == yaml.MappingNode && i+1 < len(item.Content); i += 2 {
		if item.Content[i].Value == key && item.Content[i+1].Value == value {
			return true
		}
	}
	return false
}

// key goes to the value of a key.
func (p *yamlPlace) key(of *yaml.Node, name string) error {
	if of.Kind != yaml.MappingNode {
		return errors.New("there are no keys")
	}
	var names []string
	for i := 0; i+1 < len(of.Content); i += 2 {
		key := of.Content[i]
		if key.Value == name {
			p.node, p.line, p.column = of.Content[i+1], key.Line, key.Column
			return nil
		}
		names = append(names, key.Value)
	}
	return fmt.Errorf("there is only %s", strings.Join(names, ", "))
}

// next is where the document goes on behind a node and all that is in it.
func (p *yamlPlace) next() *yamlPlace {
	var next *yamlPlace
	passed := false
	var walk func(in, node *yaml.Node)
	walk = func(in, node *yaml.Node) {
		switch {
		case next != nil:
		case passed:
			next = &yamlPlace{node: node, dash: in.Kind == yaml.SequenceNode, line: node.Line, column: node.Column}
		case node == p.node:
			passed = true
		default:
			for _, each := range node.Content {
				walk(node, each)
			}
		}
	}
	walk(p.document.root, p.document.root)
	if next == nil {
		return &yamlPlace{line: p.document.end}
	}
	return next
}

// lines are those of the node: from the comments directly above it, down to
// what follows, without the comments that belong to that. A node that begins
// behind the dash of another one begins there.
func (p *yamlPlace) lines(text []byte) span {
	lines := yamlLines(text)
	first, indent := p.begin(lines)
	last, _ := p.next().begin(lines)
	alone := leadOf(lines[first]) == indent
	top := first
	for alone && top > 0 && isComment(lines[top-1]) && leadOf(lines[top-1]) == indent {
		top--
	}
	for last > first+1 && yamlFill(lines[last-1], indent) {
		last--
	}
	at := span{}
	for i, line := range lines[:max(last, first+1)] {
		if i < top {
			at.start += len(line)
		}
		at.end += len(line)
	}
	if !alone {
		at.start += min(indent, len(lines[first]))
	}
	return at
}

// begin is the line on which a node begins, and the column, both counted from
// 0. The dash of an item is before it, perhaps on a line above it.
func (p *yamlPlace) begin(lines [][]byte) (line, column int) {
	line, column = p.line-1, p.column-1
	if !p.dash {
		return line, column
	}
	before := lines[line][:min(column, len(lines[line]))]
	for {
		if at := bytes.LastIndexByte(before, '-'); at >= 0 && len(bytes.Trim(before, "-? \r\n")) == 0 {
			return line, at
		}
		if line == 0 {
			return p.line - 1, column
		}
		line--
		before, _, _ = bytes.Cut(lines[line], []byte("#"))
	}
}

// yamlLines cuts a text at what ends a line in YAML.
func yamlLines(text []byte) (lines [][]byte) {
	begin := 0
	for i, r := range string(text) {
		end := i + utf8.RuneLen(r)
		switch {
		case r == '\r' && bytes.HasPrefix(text[end:], []byte("\n")):
		case strings.ContainsRune("\r\n\u0085\u2028\u2029", r):
			lines, begin = append(lines, text[begin:end]), end
		}
	}
	return append(lines, text[begin:])
}

// yamlFill says whether a line behind a node is none of it: it is blank, ends
// the document, or is a comment that is not within the node.
func yamlFill(line []byte, indent int) bool {
	return len(bytes.TrimSpace(line)) == 0 || bytes.HasPrefix(line, []byte("...")) || isComment(line) && leadOf(line) <= indent
}

func leadOf(line []byte) int { return len(line) - len(bytes.TrimLeft(line, " ")) }

func isComment(line []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(line), []byte("#")) }
