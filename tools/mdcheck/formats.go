package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/tasker-systems/tasker-go/tools/mdcheck/mdcheck"
)

// view is a report for a reader.
type view struct {
	*mdcheck.Report
	repo     *mdcheck.Repository
	coverage bool
}

var formats = map[string]func(*view, io.Writer) error{
	"text":   (*view).text,
	"json":   (*view).json,
	"sarif":  (*view).sarif,
	"github": (*view).github,
}

// path is a file as the reader would type it here.
func (v *view) path(file string) string {
	abs := filepath.Join(v.repo.Dir(), filepath.FromSlash(file))
	wd, err := os.Getwd()
	if err != nil {
		return abs
	}
	if resolved, err := filepath.EvalSymlinks(wd); err == nil {
		wd = resolved
	}
	if rel, err := filepath.Rel(wd, abs); err == nil {
		return filepath.ToSlash(rel)
	}
	return abs
}

func (v *view) text(w io.Writer) error {
	var b bytes.Buffer
	for i := range v.Findings {
		f := &v.Findings[i]
		if f.Fixed {
			fmt.Fprintf(&b, "%s:%d: fixed: %s: %s\n", v.path(f.File), f.Line, f.Rule, f.Text)
			continue
		}
		fmt.Fprintf(&b, "%s:%d: %s: %s\n", v.path(f.File), f.Line, f.Rule, f.Text)
		b.WriteString(f.Diff)
		if f.Mendable {
			fmt.Fprintf(&b, "mend it: %s\n", v.mend(f))
		}
	}
	if v.coverage {
		if len(v.Coverage) == 0 {
			b.WriteString("coverage: none of these documents has handlers; name them in <!-- mdcheck document handlers=\"a.go b.go\" -->\n")
		}
		for i := range v.Coverage {
			b.WriteString(v.Coverage[i].Unshown())
		}
	}
	b.WriteString(v.Summary())
	for _, n := range v.NotRun {
		fmt.Fprintf(&b, "  %s:%d: not run: %s\n", v.path(n.File), n.Line, n.What)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// mend is the command that makes a finding go.
func (v *view) mend(f *mdcheck.Finding) string {
	command := "mdcheck"
	if exe, err := os.Executable(); err == nil && strings.Contains(exe, "go-build") {
		command = "go run github.com/tasker-systems/tasker-go/tools/mdcheck"
	}
	if f.Run {
		command += " -run"
	}
	return command + " -fix " + v.path(f.File)
}

func (v *view) json(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	v.Findings = append([]mdcheck.Finding{}, v.Findings...) // [] when there are none
	v.NotRun = append([]mdcheck.NotRun{}, v.NotRun...)
	v.Coverage = append([]mdcheck.PostCoverage{}, v.Coverage...)
	return encoder.Encode(v.Report)
}

// patch is what -fix would do, for git apply or patch, and beside it what it
// would not mend.
func (v *view) patch(w, beside io.Writer) {
	for _, p := range v.Patches {
		text := diff.Diff("a/"+p.File, p.Now, "b/"+p.File, p.Fixed)
		_, text, _ = bytes.Cut(text, []byte("\n"))
		_, _ = w.Write(text)
	}
	for i := range v.Findings {
		if f := &v.Findings[i]; !f.Mendable {
			fmt.Fprintf(beside, "%s:%d: %s: %s\n", v.path(f.File), f.Line, f.Rule, f.Text)
		}
	}
}

// github prints annotations for a workflow of GitHub Actions, and the summary.
func (v *view) github(w io.Writer) error {
	var b bytes.Buffer
	for i := range v.Findings {
		f := &v.Findings[i]
		if f.Fixed {
			continue
		}
		message := f.Text
		if f.Diff != "" {
			message += "\n" + f.Diff
		}
		fmt.Fprintf(&b, "::error file=%s,line=%d,title=%s::%s\n", property.Replace(f.File), f.Line, property.Replace("mdcheck "+string(f.Rule)), data.Replace(message))
	}
	b.WriteString(v.Summary())
	_, err := w.Write(b.Bytes())
	return err
}

// data and property escape what a workflow command would read as its own.
var (
	data     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
