package template

import (
	"fmt"
	"slices"
	"strings"
)

// reserved are words that a node of a Mermaid flowchart cannot be called.
var reserved = []string{"end", "graph", "subgraph", "style", "class", "click", "default", "flowchart", "direction", "linkstyle", "classdef", "call", "href", "interpolate"}

// Mermaid draws the template's steps as a Mermaid flowchart, always the same
// for the same template: nodes and edges in the order of the file, optional
// steps rounded.
func (t *Template) Mermaid() string {
	prefix := ""
	for i := range t.Steps {
		if slices.Contains(reserved, strings.ToLower(t.Steps[i].Name)) {
			prefix = "step_"
		}
	}
	var b strings.Builder
	direction := "LR"
	if len(t.Steps) > 6 {
		direction = "TD"
	}
	fmt.Fprintf(&b, "flowchart %s\n", direction)
	for i := range t.Steps {
		shape := "[%s]"
		if t.Steps[i].Optional {
			shape = "([%s])"
		}
		fmt.Fprintf(&b, "    %s%s"+shape+"\n", prefix, t.Steps[i].Name, t.Steps[i].Name)
	}
	for i := range t.Steps {
		for _, parent := range t.Steps[i].Dependencies {
			fmt.Fprintf(&b, "    %s%s --> %s%s\n", prefix, parent, prefix, t.Steps[i].Name)
		}
	}
	return b.String()
}
