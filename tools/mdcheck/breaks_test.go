package main

import (
	"os"
	"strings"
	"testing"
)

// For each directive: it is filled, its source changes by one character, both
// ends are named, -fix makes it true, and touches nothing but what is shown.
func TestOneCharacterOfASourceIsSeenAndMended(t *testing.T) {
	const (
		code     = "package x\n\ntype Shop struct{}\n\n// Pay pays.\nfunc (s *Shop) Pay(n int) int {\n\t// snip:begin sum\n\tn += 1\n\t// snip:end sum\n\tif n > 10 {\n\t\treturn 10\n\t}\n\treturn n\n}\n"
		template = "name: checkout\nnamespace_name: shop\nversion: 1.0.0\nsteps:\n  - name: price\n    handler: {callable: a.B}\n  - name: pay\n    dependencies: [price]\n    handler: {callable: a.C}\n"
		tester   = "package x\n\nimport \"testing\"\n\nfunc TestPay(t *testing.T) { t.Attr(\"calls\", \"3\") }\n"
	)
	tests := []struct {
		directive     string
		file          string // whose text changes
		text          string
		old, new      string
		otherEnd      string // as the finding names it
		readme        string // else a fence of the language
		language      string
		shouldNotFail bool
	}{
		{directive: "src=a.go sym=Shop.Pay", file: "a.go", text: code, old: "n += 1", new: "n += 2", otherEnd: "a.go:6 Shop.Pay: 1 line differs"},
		{directive: "src=a.go sym=(*Shop).Pay with=doc", file: "a.go", text: code, old: "Pay pays", new: "Pay payz", otherEnd: "a.go:5 (*Shop).Pay: 1 line"},
		{directive: "src=a.go sym=Shop.Pay region=sum", file: "a.go", text: code, old: "n += 1", new: "n -= 1", otherEnd: "a.go:8 Shop.Pay region sum"},
		{directive: `src=a.go sym=Shop.Pay stmt="if n"`, file: "a.go", text: code, old: "return 10", new: "return 11", otherEnd: `a.go:10 Shop.Pay "if n"`},
		{directive: "src=a.go sym=Shop.Pay omit=sum", file: "a.go", text: code, old: "return n", new: "return s", otherEnd: "a.go:6 Shop.Pay"},
		{directive: "src=a.sql region=all", file: "a.sql", text: "-- snip:begin all\nselect 1\n-- snip:end all\n", old: "1", new: "2", otherEnd: "a.sql:2 region all", language: "sql"},
		{directive: "src=a.json", file: "a.json", text: "{\"a\": 1}\n", old: "1", new: "2", otherEnd: "a.json:1: 1 line differs", language: "json"},
		{directive: "yaml=t.yaml path=.steps[name=pay]", file: "t.yaml", text: template, old: "a.C", new: "a.D", otherEnd: "t.yaml:7 .steps[name=pay]", language: "yaml"},
		{directive: "mermaid=t.yaml", file: "t.yaml", text: template, old: "name: checkout\n", new: "name: checkouts\n", language: "mermaid", shouldNotFail: true},
		{directive: "mermaid=t.yaml", file: "t.yaml", text: template, old: "price]\n    handler: {callable: a.C}\n", new: "price]\n    optional: true\n    handler: {callable: a.C}\n", otherEnd: "t.yaml: the picture: 1 line differs", language: "mermaid"},
		{directive: "run", file: "out.txt", text: "3 charges in 12ms\n", old: "3", new: "4", otherEnd: "$ cat out.txt: 1 line differs", readme: "# X\n\n<!-- mdcheck run scrub=duration -->\n```console\n$ cat out.txt\n```\n\nEnd.\n"},
		{directive: "run", file: "out.txt", text: "3 charges in 12ms\n", old: "12ms", new: "9.5s", readme: "# X\n\n<!-- mdcheck run scrub=duration -->\n```console\n$ cat out.txt\n```\n\nEnd.\n", shouldNotFail: true},
		{directive: "test", file: "a_test.go", text: tester, old: `"3"`, new: `"4"`, otherEnd: `the text says "3"; TestPay reports calls="4"`, readme: "It made <!-- mdcheck test=TestPay value=calls -->?<!-- /mdcheck --> calls.\n"},
	}
	for _, tt := range tests {
		t.Run(tt.directive+" "+tt.new, func(t *testing.T) {
			if tt.readme == "" {
				language := tt.language
				if language == "" {
					language = "go"
				}
				tt.readme = "# X\n\nText   as it is.\n\n<!-- mdcheck " + tt.directive + " -->\n```" + language + "\n```\n\nEnd.\n"
			}
			repository(t, map[string]string{tt.file: tt.text, "README.md": tt.readme})
			expect := func(when string, want int, args ...string) string {
				t.Helper()
				code, out, stderr := mdcheckRun(t, append(args, "-run")...)
				if code != want {
					t.Fatalf("%s: exit %d, want %d\n%s%s", when, code, want, out, stderr)
				}
				return out
			}
			expect("an empty block is filled", 0, "-fix")
			before := read(t, "README.md")
			expect("a true block is clean", 0)
			changed := strings.Replace(tt.text, tt.old, tt.new, 1)
			if changed == tt.text {
				t.Fatalf("nothing was changed in %s", tt.file)
			}
			if err := os.WriteFile(tt.file, []byte(changed), 0o644); err != nil {
				t.Fatal(err)
			}
			if tt.shouldNotFail {
				expect("what is not shown may change", 0)
				return
			}
			out := expect("the source has changed", 1)
			if !strings.Contains(out, "README.md:") || !strings.Contains(out, tt.otherEnd) {
				t.Errorf("the finding does not name README.md and %q:\n%s", tt.otherEnd, out)
			}
			expect("-fix", 0, "-fix")
			after := read(t, "README.md")
			if after == before || frame(after) != frame(before) {
				t.Errorf("-fix made of\n%s\nthis:\n%s", before, after)
			}
			expect("-fix again", 0, "-fix")
			if again := read(t, "README.md"); again != after {
				t.Errorf("-fix again made of\n%s\nthis:\n%s", after, again)
			}
		})
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// frame is a document without what is in its blocks and its values.
func frame(text string) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		fence := strings.HasPrefix(line, "```")
		if !inside || fence {
			begin, rest, found := strings.Cut(line, "value=calls -->")
			if _, end, ok := strings.Cut(rest, "<!-- /mdcheck"); found && ok {
				line = begin + end
			}
			b.WriteString(line)
		}
		inside = inside != fence
	}
	return b.String()
}
