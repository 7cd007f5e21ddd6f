package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// repository lays out files and goes there.
func repository(t *testing.T, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	files["go.mod"] = "module x\n\ngo 1.26\n"
	for name, text := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if dir, err := os.UserCacheDir(); err == nil && os.Getenv("GOCACHE") == "" {
		t.Setenv("GOCACHE", filepath.Join(dir, "go-build")) // the compiler's stays where it is
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Chdir(dir)
}

func mdcheckRun(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, beside bytes.Buffer
	code = run(t.Context(), args, &out, &beside)
	return code, out.String(), beside.String()
}

const (
	source = "package x\n\nfunc F() int { return 1 }\n"
	right  = "# X\n\n<!-- mdcheck src=a.go sym=F -->\n```go\nfunc F() int { return 1 }\n```\n"
)

var wrong = strings.Replace(right, "return 1", "return 2", 1)

func TestTheExitCodeSaysWhatWasFound(t *testing.T) {
	tests := []struct {
		name   string
		readme string
		args   []string
		code   int
		says   string // on either stream
	}{
		{"clean", right, nil, 0, "checked in 1 document: 1 snippet"},
		{"different", wrong, nil, 1, "README.md:4: stale: a.go:3 F: 1 line differs"},
		{"the command that mends it", wrong, nil, 1, "-fix README.md\n"},
		{"mended", wrong, []string{"-fix"}, 0, "README.md:4: fixed: stale"},
		{"broken wins over different", wrong + "\n<!-- mdcheck src=none.go -->\n```go\n```\n", nil, 2, "none.go: there is no such file"},
		{"broken is not mended", right + "\n<!-- mdcheck src=none.go -->\n```go\n```\n", []string{"-fix"}, 2, "none.go: there is no such file"},
		{"an unknown flag", right, []string{"-what"}, 2, "flag provided but not defined"},
		{"an unknown format", right, []string{"-format", "xml"}, 2, "there is text, json, sarif, github"},
		{"two flags that exclude each other", right, []string{"-fix", "-diff"}, 2, "take one of them"},
		{"a floor that is none", right, []string{"-min", "101"}, 2, "from 0 to 100"},
		{"a missing file", right, []string{"none.md"}, 2, "none.md: no such file"},
		{"a file elsewhere", right, []string{"README.md", "/etc/hostname"}, 2, "is not in the repository"},
		{"a file that is no markdown", right, []string{"a.go"}, 2, "a.go is no markdown"},
		{"a flag behind a file", right, []string{"README.md", "-fix"}, 2, "-fix is behind a file; flags come first"},
		{"a floor that is no number", right, []string{"-min", "NaN"}, 2, "from 0 to 100"},
		{"a patch that never ends", right, []string{"-diff", "-watch"}, 2, "it goes with neither -watch nor -format"},
		{"a patch in another format", right, []string{"-diff", "-format", "json"}, 2, "it goes with neither -watch nor -format"},
		{"coverage of nothing", right, []string{"-coverage"}, 0, "none of these documents has handlers"},
		{"help", right, []string{"-h"}, 0, "mdcheck -diff | git apply"},
		{"transcripts are listed", "<!-- mdcheck run -->\n```console\n$ false\n```\n", nil, 0, "README.md:3: not run: $ false"},
		{"transcripts are run", "<!-- mdcheck run -->\n```console\n$ false\n```\n", []string{"-run"}, 1, "+[1]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repository(t, map[string]string{"a.go": source, "README.md": tt.readme})
			code, stdout, stderr := mdcheckRun(t, tt.args...)
			if code != tt.code || !strings.Contains(stdout+stderr, tt.says) {
				t.Errorf("exit %d, want %d and %q:\n%s%s", code, tt.code, tt.says, stdout, stderr)
			}
		})
	}
}

func TestAWrongCallIsAnsweredInOneLine(t *testing.T) {
	for _, args := range [][]string{{"-what"}, {"none.md"}, {"-min", "x"}, {"README.md", "-fix"}} {
		repository(t, map[string]string{"README.md": "# X\n"})
		if _, stdout, stderr := mdcheckRun(t, args...); stdout != "" || !strings.HasPrefix(stderr, "mdcheck: ") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v is answered with %q and %q", args, stdout, stderr)
		}
	}
}

func TestTheDiffIsAPatchThatDoesWhatFixDoes(t *testing.T) {
	repository(t, map[string]string{"a.go": source, "sub/README.md": strings.Replace(wrong, "a.go", "../a.go", 1), "README.md": wrong})
	code, patch, _ := mdcheckRun(t, "-diff")
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	apply := exec.Command("git", "apply", "-")
	apply.Stdin = strings.NewReader(patch)
	if out, err := apply.CombinedOutput(); err != nil {
		t.Fatalf("git apply: %v\n%s\n%s", err, out, patch)
	}
	if code, stdout, _ := mdcheckRun(t); code != 0 {
		t.Errorf("after the patch: exit %d\n%s", code, stdout)
	}
}

func TestAFolderThatCannotBeListedHidesNoOtherFinding(t *testing.T) {
	repository(t, map[string]string{"a.go": source, "README.md": wrong, "closed/a.md": right})
	if err := os.Chmod("closed", 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod("closed", 0o755) })
	if _, err := os.ReadDir("closed"); err == nil {
		t.Skip("this user may read everything")
	}
	code, stdout, _ := mdcheckRun(t)
	for _, want := range []string{"README.md:4: stale", "closed:1: unreadable: permission denied"} {
		if code != 2 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, want 2 and %q:\n%s", code, want, stdout)
		}
	}
}

func TestFixKeepsPermissionsAndLeavesNothingBehind(t *testing.T) {
	repository(t, map[string]string{"a.go": source, "README.md": wrong})
	if err := os.Chmod("README.md", 0o640); err != nil {
		t.Fatal(err)
	}
	mdcheckRun(t, "-fix")
	info, err := os.Stat("README.md")
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode is %v (%v), want 0640", info.Mode(), err)
	}
	if text, err := os.ReadFile("README.md"); err != nil || string(text) != right {
		t.Errorf("-fix made %q (%v), want %q", text, err, right)
	}
	if left, _ := filepath.Glob("*.tmp"); len(left) > 0 {
		t.Errorf("-fix has left %v", left)
	}
}

func TestEveryFormatTellsTheFindings(t *testing.T) {
	repository(t, map[string]string{"a.go": source, "docs, more/a.md": strings.Replace(wrong, "a.go", "../a.go", 1)})
	t.Run("json", func(t *testing.T) {
		_, out, _ := mdcheckRun(t, "-format", "json")
		var report struct {
			Findings []struct {
				File, Rule, Text, Diff, Source string
				Line                           int
				SourceLine                     int `json:"source_line"`
			}
			Checked struct{ Snippets int }
		}
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			t.Fatal(err)
		}
		if len(report.Findings) != 1 || report.Findings[0].File != "docs, more/a.md" || report.Findings[0].Line != 4 || report.Checked.Snippets != 1 {
			t.Errorf("the report is %+v", report)
		}
		if f := report.Findings[0]; f.Source != "a.go" || f.SourceLine != 3 {
			t.Errorf("the other end is %s:%d, want a.go:3", f.Source, f.SourceLine)
		}
	})
	t.Run("sarif", func(t *testing.T) {
		_, out, _ := mdcheckRun(t, "-format", "sarif")
		var log sarifLog
		if err := json.Unmarshal([]byte(out), &log); err != nil {
			t.Fatal(err)
		}
		result := log.Runs[0].Results[0]
		rule := log.Runs[0].Tool.Driver.Rules[result.RuleIndex]
		place := result.Locations[0].PhysicalLocation
		if log.Version != "2.1.0" || rule.ID != "stale" || place.ArtifactLocation.URI != "docs%2C%20more/a.md" && place.ArtifactLocation.URI != "docs,%20more/a.md" || place.Region.StartLine != 4 {
			t.Errorf("the log is %+v", log)
		}
		if source := result.Related[0].PhysicalLocation; source.ArtifactLocation.URI != "a.go" || source.Region.StartLine != 3 {
			t.Errorf("the other end is %+v, want a.go:3", source)
		}
	})
	t.Run("github", func(t *testing.T) {
		_, out, _ := mdcheckRun(t, "-format", "github")
		if want := "::error file=docs%2C more/a.md,line=4,title=mdcheck stale::../a.go:3 F: 1 line differs%0A--- docs, more/a.md%0A"; !strings.HasPrefix(out, want) {
			t.Errorf("the annotation is %q, want %q…", out, want)
		}
	})
}

func TestTheCacheNeverChangesWhatIsFound(t *testing.T) {
	repository(t, map[string]string{"a.go": source, "README.md": right})
	expect := func(when string, code int) {
		t.Helper()
		if got, out, _ := mdcheckRun(t); got != code {
			t.Errorf("%s: exit %d, want %d\n%s", when, got, code, out)
		}
	}
	write := func(text string) {
		t.Helper()
		info, err := os.Stat("a.go")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("a.go", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes("a.go", info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	expect("cold", 0)
	expect("warm", 0)
	write(strings.Replace(source, "return 1", "return 3", 1))
	expect("the source has changed, with the same size and time", 1)
	write(strings.Replace(source, "F()", "G()", 1))
	expect("the function was renamed", 1)
	write(source)
	expect("all is as before", 0)
	caches, err := filepath.Glob(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "tasker-mdcheck", "*"))
	if err != nil || len(caches) == 0 {
		t.Skipf("the cache is somewhere else here: %v", err)
	}
	for _, damage := range []func(text []byte) []byte{
		func(text []byte) []byte { return text[:len(text)/2] },
		func(text []byte) []byte { text[len(text)-3] ^= 0xff; return text },
		func([]byte) []byte { return nil },
		func([]byte) []byte { return bytes.Repeat([]byte("x"), 100) },
	} {
		text, err := os.ReadFile(caches[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(caches[0], damage(text), 0o644); err != nil {
			t.Fatal(err)
		}
		expect("the cache is damaged", 0)
	}
}

// lines is a writer that can be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestWatchChecksWhatAChangeConcerns(t *testing.T) {
	repository(t, map[string]string{"a.go": source, "README.md": right, "sub/other.md": "# Other\n"})
	ctx, stop := context.WithCancel(t.Context())
	var out lines
	done := make(chan int)
	go func() { done <- run(ctx, []string{"-watch"}, &out, &out) }()
	await := func(what string, times int) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); strings.Count(out.String(), what) < times; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%q does not come %d times:\n%s", what, times, out.String())
			}
		}
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	await("watching", 1)
	write("a.go", strings.Replace(source, "return 1", "return 5", 1))
	await("README.md:4: stale", 1)
	await("checked in 1 document:", 1)
	write("a.go", source)
	await("checked in 1 document: 1 snippet", 2)
	if err := os.Mkdir("new", 0o755); err != nil {
		t.Fatal(err)
	}
	write("new/page.md", "[x](none.md)\n")
	await("new/page.md:1: link", 1)
	write("new/none.md", "# There\n")
	await("checked in 1 document: 0 snippets, 0 outputs, 0 pictures, 0 values, 1 link", 1)
	write("new/points.md", "[x](../moves/page.md)\n")
	await("new/points.md:1: link", 1)
	if err := os.MkdirAll("elsewhere/moves", 0o755); err != nil {
		t.Fatal(err)
	}
	write("elsewhere/moves/page.md", "# There\n")
	if err := os.Rename("elsewhere/moves", "moves"); err != nil {
		t.Fatal(err)
	}
	await("checked in 2 documents: 0 snippets, 0 outputs, 0 pictures, 0 values, 1 link", 1)
	if err := os.Rename("moves", "gone"); err != nil {
		t.Fatal(err)
	}
	await("new/points.md:1: link", 2)
	stop()
	if code := <-done; code != 0 {
		t.Errorf("an interrupted watch exits with %d", code)
	}
}
