package mdcheck

import (
	"fmt"
	"strings"
)

// Report is what a check has found.
type Report struct {
	Findings  []Finding      `json:"findings"`
	Documents int            `json:"documents"`
	Checked   Counts         `json:"checked"`
	Skips     int            `json:"skips"`
	NotRun    []NotRun       `json:"not_run"` // transcripts and values, without -run
	Coverage  []PostCoverage `json:"coverage"`
	Patches   []Patch        `json:"-"`
}

// Counts say how many of each were compared.
type Counts struct {
	Snippets int `json:"snippets"`
	Outputs  int `json:"outputs"`
	Pictures int `json:"pictures"`
	Values   int `json:"values"`
	Links    int `json:"links"`
	Names    int `json:"names"`
}

// NotRun is a transcript or a value that only -run looks at.
type NotRun struct {
	File string `json:"file"`
	Line int    `json:"line"`
	What string `json:"what"` // the command, or the test
}

// Patch is what -fix makes, or would make, of a document.
type Patch struct {
	File       string
	Now, Fixed []byte
}

func (r *Report) add(c *check) {
	r.Findings = append(r.Findings, c.findings...)
	r.Checked.Snippets += c.counts.Snippets
	r.Checked.Outputs += c.counts.Outputs
	r.Checked.Pictures += c.counts.Pictures
	r.Checked.Values += c.counts.Values
	r.Checked.Links += c.counts.Links
	r.Checked.Names += c.counts.Names
	r.Skips += c.skips
	r.NotRun = append(r.NotRun, c.notRun...)
	if c.coverage != nil {
		r.Coverage = append(r.Coverage, *c.coverage)
	}
	if len(c.edits) > 0 {
		r.Patches = append(r.Patches, Patch{c.path, c.page.text, c.fixed()})
	}
}

// Code is the exit code: 0 when nothing was found or all of it is mended, 1
// when something differs, 2 when a document or a directive is broken.
func (r *Report) Code() int {
	code := 0
	for i := range r.Findings {
		switch f := &r.Findings[i]; {
		case f.Fixed:
		case f.Breaks():
			return 2
		default:
			code = 1
		}
	}
	return code
}

// Summary says in a few lines what was checked.
func (r *Report) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "checked in %s: %s, %s, %s, %s, %s, %s; %s\n", count(r.Documents, "document"),
		count(r.Checked.Snippets, "snippet"), count(r.Checked.Outputs, "output"), count(r.Checked.Pictures, "picture"),
		count(r.Checked.Values, "value"), count(r.Checked.Links, "link"), count(r.Checked.Names, "name"), count(r.Skips, "skip"))
	if n := len(r.NotRun); n > 0 {
		fmt.Fprintf(&b, "not run: %s; -run does that\n", count(n, "transcript or value", "transcripts and values"))
	}
	for _, p := range r.Coverage {
		fmt.Fprintf(&b, "coverage: %s\n", &p)
	}
	return b.String()
}

// count is a number with its noun, in the plural unless it is one.
func count(n int, one string, many ...string) string {
	switch {
	case n == 1:
		return "1 " + one
	case len(many) > 0:
		return fmt.Sprintf("%d %s", n, many[0])
	default:
		return fmt.Sprintf("%d %ss", n, one)
	}
}
