package mdcheck

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A transcript is a fence of commands, each with what it prints:
//
//	$ go run .
//	charged once in 12ms
//	[2]
//
// The last line here is the exit code that is expected.
type transcript struct {
	check   *check
	fence   *fence
	note    *note
	dir     string // absolute
	timeout time.Duration
	scrub   *scrub
	entries []entry
}

// entry is one command of a transcript.
type entry struct {
	line    int    // in the document
	command string // one line, or several that end with a backslash
	lines   []string
	output  []string // expected, without blank lines at the end
	code    int
	hasCode bool
	blanks  int // blank lines behind it
}

var exitCode = regexp.MustCompile(`^\[(\d{1,3})\]$`)

// transcript reads a fence of commands, to be run once all documents are read.
func (c *check) transcript(f *fence, n *note, d *directive) {
	t := &transcript{check: c, fence: f, note: n, timeout: time.Minute}
	if err := t.read(d); err != nil {
		c.find(n.line, Broken, "%s", err)
		return
	}
	if !c.options.Run {
		for i := range t.entries {
			e := &t.entries[i]
			c.notRun = append(c.notRun, NotRun{c.path, e.line, "$ " + firstLine(e.command)})
		}
		return
	}
	c.counts.Outputs++
	c.runs = append(c.runs, t)
}

func (t *transcript) read(d *directive) (err error) {
	folder := "."
	if d.has("dir") {
		folder = d.get("dir")
	}
	if folder, err = from(t.check.path, folder); err != nil {
		return err
	}
	if info, err := t.check.sources.root.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("dir=%s is no folder of the repository", d.get("dir"))
	}
	t.dir = filepath.Join(t.check.dir, filepath.FromSlash(folder))
	if d.has("timeout") {
		if t.timeout, err = time.ParseDuration(d.get("timeout")); err != nil || t.timeout <= 0 {
			return fmt.Errorf("timeout=%s is no duration; write it like 60s or 2m", d.get("timeout"))
		}
	}
	text := string(t.check.page.code(t.fence))
	if t.scrub, err = newScrub(d.get("scrub"), text); err != nil {
		return err
	}
	return t.cut(text)
}

// cut takes a transcript apart into its commands.
func (t *transcript) cut(text string) error {
	line := t.fence.line
	goesOn := false
	for l := range strings.Lines(text) {
		line++
		l = strings.TrimRight(l, "\r\n")
		last := len(t.entries) - 1
		switch command, is := strings.CutPrefix(l, "$ "); {
		case goesOn:
			t.entries[last].command += "\n" + l
			goesOn = strings.HasSuffix(l, `\`)
		case is:
			t.entries = append(t.entries, entry{line: line, command: command})
			goesOn = strings.HasSuffix(l, `\`)
		case last < 0 && strings.TrimSpace(l) == "":
		case last < 0:
			return fmt.Errorf("line %d comes before any command; a transcript begins with a line $ command", line)
		default:
			t.entries[last].lines = append(t.entries[last].lines, l)
		}
	}
	if len(t.entries) == 0 {
		return fmt.Errorf("there is no command in it; write one as $ command")
	}
	for i := range t.entries {
		t.entries[i].settle()
	}
	return nil
}

// settle tells the output from the exit code and the blank lines behind it.
func (e *entry) settle() {
	e.output = trimBlank(e.lines)
	e.blanks = len(e.lines) - len(e.output)
	if n := len(e.output); n > 0 {
		if m := exitCode.FindStringSubmatch(strings.TrimSpace(e.output[n-1])); m != nil {
			e.code, _ = strconv.Atoi(m[1])
			e.hasCode, e.output = true, trimBlank(e.output[:n-1])
		}
	}
}

func trimBlank(lines []string) []string {
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	return lines
}

// runTranscripts runs them one after the other, in the order of the documents:
// what they start may want the same port, or the whole machine.
func runTranscripts(ctx context.Context, checks []*check) {
	for _, c := range checks {
		for _, t := range c.runs {
			t.run(ctx)
		}
	}
}

// run runs the commands of a fence one after the other, and compares. One that
// cannot be run ends it: the next ones may need what it does.
func (t *transcript) run(ctx context.Context) {
	changed := false
	for i := range t.entries {
		e := &t.entries[i]
		printed, code, err := execute(ctx, t.dir, t.timeout, e.command)
		if err != nil {
			t.check.find(e.line, Broken, "$ %s: %s", firstLine(e.command), err)
			break
		}
		changed = t.compare(e, outputLines(printed), code) || changed
	}
	if !changed {
		return
	}
	var fixed strings.Builder
	for i := range t.entries {
		fixed.WriteString(t.entries[i].text())
	}
	t.check.replace(t.fence, []byte(fixed.String()))
}

// compare holds an entry to what its command printed, says where they differ,
// and makes the entry right.
func (t *transcript) compare(e *entry, actual []string, code int) (changed bool) {
	before := e.text()
	merged, changed := t.scrub.merge(e.output, actual)
	if slices.ContainsFunc(merged, isCommand) {
		t.check.find(e.line, Broken, "$ %s: it prints a line that begins with \"$ \" and would be read as a command; let a line ... stand for it, or indent it with | sed 's/^/  /'", firstLine(e.command))
		return false
	}
	e.output = merged
	if code != e.code {
		e.code, e.hasCode, changed = code, true, true
	}
	if !changed {
		return false
	}
	after := e.text()
	diff := unified(t.check.path, []byte(before), e.line-1, "$ "+firstLine(e.command), []byte(after), e.line-1)
	f := t.check.find(e.line, Output, "$ %s: %s", firstLine(e.command), differ(diff))
	f.Diff, f.Mendable, f.Run = diff, true, true
	return true
}

func isCommand(line string) bool { return strings.HasPrefix(line, "$ ") }

// text is the entry as the fence has it. Behind output that ends like an exit
// code stands the real one, so that each is read as what it is.
func (e *entry) text() string {
	lines := append([]string{"$ " + e.command}, e.output...)
	if e.code != 0 || e.hasCode || exitCode.MatchString(lines[len(lines)-1]) {
		lines = append(lines, fmt.Sprintf("[%d]", e.code))
	}
	return strings.Join(lines, "\n") + "\n" + strings.Repeat("\n", e.blanks)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func outputLines(printed []byte) []string {
	var lines []string
	for l := range strings.Lines(strings.ToValidUTF8(string(printed), "\uFFFD")) {
		lines = append(lines, strings.TrimRight(l, " \t\r\n"))
	}
	return trimBlank(lines)
}
