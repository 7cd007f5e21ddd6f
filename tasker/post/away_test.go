package post

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
)

// away is a store that has gone away once something was submitted to it.
type away struct{ tasker.Store }

func (away) Rows(context.Context, tasker.Filter) ([]tasker.Row, error) {
	return nil, errors.New("connection refused")
}

func (away) Leave(context.Context, tasker.ID) error { return errors.New("connection refused, too") }

func TestARunWhoseDatabaseStaysAwayReportsNoTasksAndGivesOneReason(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := Post{
			Name:      "00-note",
			Templates: []fs.FS{fstest.MapFS{"templates/note.yaml": {Data: []byte("{name: note, namespace_name: desk, version: 1.0.0, steps: [{name: write, handler: {callable: write}}]}")}}},
			Task:      "desk/note",
			Example:   []byte(`{}`),
			Handlers: func(*World) tasker.Handlers {
				return tasker.Handlers{"write": tasker.Step(func(context.Context, struct{}) (string, error) { return "written", nil })}
			},
		}
		o, err := p.parse(t.Context(), []string{"-json", "-db", "memory"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := &run{
			post: p, options: o, stdout: &output{to: io.Discard}, stderr: io.Discard,
			life: &life{tag: "a run", began: time.Now()}, world: NewWorld(),
		}
		report := &Report{Tasks: []*tasker.Task{}}
		err = r.perform(t.Context(), away{memory.New()}, report)
		if err == nil || exitCode(err) != exitNoDatabase || strings.Contains(err.Error(), "\n") {
			t.Errorf("the error is %v, want one line about the database", err)
		}
		var printed strings.Builder
		writeJSON(&printed, report)
		if printed.String() != "{\n  \"tasks\": []\n}\n" {
			t.Errorf("the report is %s", printed.String())
		}
	})
}
