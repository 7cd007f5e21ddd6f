package mdcheck

import (
	"fmt"
	"strings"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// picture follows a directive mermaid=…: the drawing of a template.
func (c *check) picture(d *directive) (*excerpt, error) {
	f, err := c.source(d.get("mermaid"))
	if err != nil {
		return nil, err
	}
	t, err := template.Parse(f.path, f.text)
	if err != nil {
		first, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("%s is no template: %s", d.get("mermaid"), first)
	}
	return &excerpt{source: f, at: span{0, len(f.text)}, text: []byte(t.Mermaid())}, nil
}
