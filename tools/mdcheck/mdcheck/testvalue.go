package mdcheck

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// testValue is a value in a sentence, which a test reports:
//
//	The card was asked <!-- mdcheck test=TestCheckout value=attempts -->3<!-- /mdcheck --> times.
//
// The test says t.Attr("attempts", "3").
type testValue struct {
	check     *check
	note      *note
	folder    string // of the package, a slash path from the root
	test, key string
}

// maxTests is how long the tests of a package may take, and how much they may
// print.
const (
	testTimeout   = 5 * time.Minute
	maxTestOutput = 64 << 20
)

// value reads the comment of a value, which is asked for once all documents
// are read.
func (c *check) value(n *note, d *directive) {
	if !n.closed {
		c.find(n.line, Broken, "the value of %s is never closed; write it, and <!-- /mdcheck --> behind it", d.get("test"))
		return
	}
	folder := "."
	if d.has("pkg") {
		folder = d.get("pkg")
	}
	folder, err := from(c.path, folder)
	if err != nil {
		c.find(n.line, Broken, "pkg: %s", err)
		return
	}
	if info, err := c.sources.root.Stat(folder); err != nil || !info.IsDir() {
		c.find(n.line, Broken, "pkg=%s is no folder of the repository", d.get("pkg"))
		return
	}
	if !c.options.Run {
		c.notRun = append(c.notRun, NotRun{c.path, n.line, d.get("test") + " " + d.get("value")})
		return
	}
	c.counts.Values++
	c.asked = append(c.asked, &testValue{c, n, folder, strings.ReplaceAll(d.get("test"), " ", "_"), d.get("value")})
}

// askTests runs the tests that values come from, those of a package together.
func askTests(ctx context.Context, checks []*check) {
	asked := map[string][]*testValue{}
	for _, c := range checks {
		for _, v := range c.asked {
			asked[v.folder] = append(asked[v.folder], v)
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(asked)) {
		values := asked[folder]
		run, err := runTests(ctx, values)
		for _, v := range values {
			if err != nil {
				v.check.find(v.note.line, Broken, "the tests of %s: %s", folder, err)
				continue
			}
			v.compare(run)
		}
	}
}

// testRun is what the tests of a package have reported.
type testRun struct {
	attrs  map[string]map[string]string // by test, by key
	ended  map[string]string            // by test: pass, fail, skip
	built  bool
	output string // the first thing that the compiler or the package said
}

func runTests(ctx context.Context, values []*testValue) (*testRun, error) {
	var names []string
	for _, v := range values {
		var parts []string
		for part := range strings.SplitSeq(v.test, "/") {
			parts = append(parts, "^"+regexp.QuoteMeta(part)+"$")
		}
		names = append(names, strings.Join(parts, "/"))
	}
	slices.Sort(names)
	pattern := strings.Join(slices.Compact(names), "|")
	cmd := exec.Command("go", "test", "-json", "-run", pattern, ".")
	dir := filepath.Join(values[0].check.dir, filepath.FromSlash(values[0].folder))
	printed, _, err := runGroup(ctx, cmd, dir, testTimeout, maxTestOutput)
	if err != nil {
		return nil, err
	}
	return readEvents(printed), nil
}

func readEvents(printed []byte) *testRun {
	r := &testRun{attrs: map[string]map[string]string{}, ended: map[string]string{}, built: true}
	say := func(text string) {
		text = strings.TrimSpace(text)
		if r.output == "" && !strings.HasPrefix(text, "#") {
			r.output = text
		}
	}
	for line := range bytes.Lines(printed) {
		var event struct{ Action, Test, Key, Value, Output, FailedBuild string }
		if json.Unmarshal(line, &event) != nil {
			say(string(line)) // the go command itself
			continue
		}
		switch event.Action {
		case "attr":
			if r.attrs[event.Test] == nil {
				r.attrs[event.Test] = map[string]string{}
			}
			r.attrs[event.Test][event.Key] = event.Value
		case "pass", "fail", "skip":
			r.ended[event.Test] = event.Action
			r.built = r.built && event.FailedBuild == ""
		case "output", "build-output":
			if event.Test == "" {
				say(event.Output)
			}
		}
	}
	r.built = r.built && len(r.ended) > 0
	return r
}

// compare holds the value to the report.
func (v *testValue) compare(run *testRun) {
	again := fmt.Sprintf("go test -run '^%s$' ./%s", v.test, strings.TrimPrefix(v.folder, "."))
	attrs := run.attrs[v.test]
	want, reported := attrs[v.key]
	shown := string(v.check.page.text[v.note.shown.start:v.note.shown.end])
	keys := slices.Sorted(maps.Keys(attrs))
	switch ended := run.ended[v.test]; {
	case ended == "fail":
		v.find(Value, "%s fails, so nobody knows %s; see %s", v.test, v.key, again)
	case ended == "skip":
		v.find(Value, "%s was skipped, so nobody knows %s; see %s", v.test, v.key, again)
	case !run.built:
		v.find(Value, "the tests of %s do not build: %s", v.folder, run.output)
	case ended == "":
		v.find(Broken, "there is no test %s in %s", v.test, v.folder)
	case !reported && len(keys) == 0:
		v.find(Broken, "%s reports no value; let it say t.Attr(%q, …)", v.test, v.key)
	case !reported:
		v.find(Broken, "%s reports no %s%s", v.test, v.key, known(v.key, keys, "it reports"))
	case strings.ContainsAny(want, "<>\n"):
		v.find(Broken, "%s reports %s=%q, which cannot stand in a sentence", v.test, v.key, want)
	case strings.TrimSpace(shown) != want:
		f := v.find(Value, "the text says %q; %s reports %s=%q", strings.TrimSpace(shown), v.test, v.key, want)
		f.Mendable, f.Run = true, true
		v.check.edit(v.note.shown, want)
	}
}

func (v *testValue) find(rule Rule, format string, args ...any) *Finding {
	return v.check.find(v.note.line, rule, format, args...)
}
