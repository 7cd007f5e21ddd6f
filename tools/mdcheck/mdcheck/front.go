package mdcheck

import (
	"strconv"
	"strings"
)

// front is what a document says of itself, in one comment:
//
//	<!-- mdcheck document sources=under allow="Foo Bar" coverage=90 handlers="a.go b.go" -->
type front struct {
	note     *note
	sources  bool            // Go fences have a source line under them
	allow    map[string]bool // names that are not ours
	coverage float64         // least share in percent
	handlers []string        // files, from the document's folder
}

func (c *check) readFront(n *note) {
	d := n.says
	if c.front.note != nil {
		c.find(n.line, Broken, "line %d says already how to read the document; one comment is enough", c.front.note.line)
		return
	}
	c.front = front{note: n, allow: map[string]bool{}, handlers: strings.Fields(d.get("handlers"))}
	for _, name := range strings.Fields(d.get("allow")) {
		c.front.allow[name] = true
	}
	if c.front.sources = d.has("sources"); c.front.sources && d.get("sources") != "under" {
		c.find(n.line, Broken, "sources=%s is not known; there is sources=under", d.get("sources"))
	}
	if d.has("coverage") {
		share, err := strconv.ParseFloat(d.get("coverage"), 64)
		if err != nil || share < 0 || share > 100 {
			c.find(n.line, Broken, "coverage=%s is no share; write percent, as in coverage=90", d.get("coverage"))
		}
		c.front.coverage = share
	}
}
