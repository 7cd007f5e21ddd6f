package mdcheck

import (
	"cmp"
	"slices"
)

// A Finding is one place where a document and the repository differ, or where
// a directive cannot be followed.
type Finding struct {
	File string `json:"file"` // slash path from the repository's root
	Line int    `json:"line"` // from 1
	Rule Rule   `json:"rule"`
	// Text says what is wrong, where the other end is, and what to do unless
	// Mend does.
	Text string `json:"text"`
	// Diff is a unified diff from what the document says to what is true;
	// empty where there are no two texts to compare.
	Diff string `json:"diff,omitempty"`
	// Source is the other end where it is a place in the repository, a slash
	// path from its root, with the line.
	Source     string `json:"source,omitempty"`
	SourceLine int    `json:"source_line,omitempty"`
	// Mendable findings are gone after -fix. Run says that it takes -run too.
	Mendable bool `json:"mendable"`
	Run      bool `json:"run,omitempty"`
	Fixed    bool `json:"fixed,omitempty"`
}

// Rule is the kind of a finding, one word.
type Rule string

// The rules. Those of broken make the exit code 2, all others 1.
const (
	Stale      Rule = "stale"      // a fence is not what its source says
	Renamed    Rule = "renamed"    // what the directive names is called something else now
	SourceLine Rule = "sourceline" // the line under a fence is missing or wrong
	Unchecked  Rule = "unchecked"  // a fence of a checked language has no directive
	Output     Rule = "output"     // a transcript does not print what it says
	Value      Rule = "value"      // a value in a sentence is not what its test reports
	Link       Rule = "link"       // a link leads nowhere
	Name       Rule = "name"       // a name in the prose is declared nowhere
	Coverage   Rule = "coverage"   // a post shows too little of its handlers
	Broken     Rule = "broken"     // a directive cannot be followed
	Unreadable Rule = "unreadable" // a document cannot be read
)

// Rules tells of each rule what a finding of it means.
var Rules = []struct {
	Rule Rule
	Text string
}{
	{Stale, "a fenced block is not what its source says"},
	{Renamed, "the declaration that a directive names has another name now"},
	{SourceLine, "the source line under a block is missing or wrong"},
	{Unchecked, "a fenced block of a checked language has no directive"},
	{Output, "a command does not print what the transcript says"},
	{Value, "a value in a sentence is not what its test reports"},
	{Link, "a link leads to nothing in the repository"},
	{Name, "a name in the prose is declared nowhere in the module"},
	{Coverage, "a post shows too little of its handlers"},
	{Broken, "a directive cannot be followed"},
	{Unreadable, "a document cannot be read"},
}

// Breaks says whether the finding is about the check itself: nothing can be
// said about the document before it is mended.
func (f *Finding) Breaks() bool { return f.Rule == Broken || f.Rule == Unreadable }

func sortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}
