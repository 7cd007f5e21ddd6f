package mdcheck

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// Each file in testdata is a small repository with what must be found in it,
// and with what -fix must make of its documents:
//
//	What this is about. A line "options: run min=90" sets options.
//	-- README.md --       the files of the repository
//	-- findings --        the findings, their diffs, the exit code, the summary
//	-- fixed/README.md -- the documents that -fix changes
//
// A word in parentheses behind a file's name says what its text cannot: (crlf)
// has those line endings, (bom) a byte order mark, (link ../a) leads there,
// (size 1000) has that many bytes, (hex) is written in hexadecimal, (pipe) is
// one.
//
// UPDATE=1 writes findings and fixed documents anew.
func TestEachBehaviour(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no behaviour is described in testdata: %v", err)
	}
	for _, file := range files {
		name := strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".txtar"), "_", " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behaves(t, file)
		})
	}
}

func behaves(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	archive := txtar.Parse(text)
	described := &txtar.Archive{Comment: archive.Comment}
	dir := t.TempDir()
	want, crlf := map[string]string{}, map[string]bool{}
	for _, f := range archive.Files {
		if f.Name == "findings" || strings.HasPrefix(f.Name, "fixed/") {
			want[f.Name] = string(f.Data)
			continue
		}
		described.Files = append(described.Files, f)
		name, special, _ := strings.Cut(strings.TrimSuffix(f.Name, ")"), " (")
		crlf[name] = special == "crlf"
		lay(t, filepath.Join(dir, name), special, f.Data)
	}
	options := optionsOf(t, string(archive.Comment))
	got := map[string]string{"findings": found(t, dir, options)}
	options.Fix = true
	repo := mustOpen(t, dir, options)
	for _, p := range checkIn(t, repo).Patches {
		fixed := string(p.Fixed)
		if crlf[p.File] {
			if strings.Count(fixed, "\r\n") != strings.Count(fixed, "\n") {
				t.Errorf("-fix has mixed the line endings of %s: %q", p.File, fixed)
			}
			fixed = strings.ReplaceAll(fixed, "\r\n", "\n")
		}
		got["fixed/"+p.File] = fixed
		described.Files = append(described.Files, txtar.File{Name: "fixed/" + p.File, Data: []byte(fixed)})
	}
	again := checkIn(t, mustOpen(t, dir, options))
	for _, p := range again.Patches {
		t.Errorf("-fix changes %s again: %q", p.File, p.Fixed)
	}
	for _, f := range again.Findings {
		if f.Mendable {
			t.Errorf("after -fix there is still %s:%d: %s: %s", f.File, f.Line, f.Rule, f.Text)
		}
	}
	if os.Getenv("UPDATE") == "1" {
		described.Files = append(described.Files, txtar.File{Name: "findings", Data: []byte(got["findings"])})
		if err := os.WriteFile(file, txtar.Format(described), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want -, got +; UPDATE=1 accepts it:\n%s", diff)
	}
}

// lay puts a file of a description where it belongs.
func lay(t *testing.T, file, special string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	word, rest, _ := strings.Cut(special, " ")
	var err error
	switch word {
	case "crlf":
		data = bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))
	case "bom":
		data = append([]byte("\uFEFF"), data...)
	case "hex":
		data, err = hex.DecodeString(strings.Join(strings.Fields(string(data)), ""))
	case "link":
		if err := os.Symlink(rest, file); err != nil {
			t.Skip(err)
		}
		return
	case "pipe":
		if err := makePipe(file); err != nil {
			t.Skip(err)
		}
		return
	}
	if err == nil {
		err = os.WriteFile(file, data, 0o644)
	}
	if err == nil && word == "size" {
		var size int64
		if size, err = strconv.ParseInt(rest, 10, 64); err == nil {
			err = os.Truncate(file, size)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

func optionsOf(t *testing.T, comment string) (o Options) {
	t.Helper()
	for line := range strings.Lines(comment) {
		rest, ok := strings.CutPrefix(line, "options: ")
		if !ok {
			continue
		}
		for _, word := range strings.Fields(rest) {
			name, value, _ := strings.Cut(word, "=")
			switch name {
			case "run":
				o.Run = true
			case "min":
				o.MinCoverage, _ = strconv.ParseFloat(value, 64)
			default:
				t.Fatalf("there is no option %q", word)
			}
		}
	}
	return o
}

func mustOpen(t *testing.T, dir string, o Options) *Repository {
	t.Helper()
	repo, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = repo.Close() })
	return repo
}

func checkIn(t *testing.T, repo *Repository) *Report {
	t.Helper()
	documents, err := repo.Documents()
	if err != nil {
		t.Fatal(err)
	}
	return repo.Check(t.Context(), documents)
}

// found writes a report as the tests compare it.
func found(t *testing.T, dir string, o Options) string {
	t.Helper()
	report := checkIn(t, mustOpen(t, dir, o))
	var b strings.Builder
	for _, f := range report.Findings {
		mend := ""
		if f.Mendable {
			mend = " (-fix)"
		}
		fmt.Fprintf(&b, "%s:%d: %s: %s%s\n%s", f.File, f.Line, f.Rule, strings.ReplaceAll(f.Text, dir, "DIR"), mend, f.Diff)
	}
	for _, p := range report.Coverage {
		b.WriteString(p.Unshown())
	}
	fmt.Fprintf(&b, "exit %d\n%s", report.Code(), report.Summary())
	return b.String()
}
