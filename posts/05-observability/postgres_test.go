package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// alike is a report without what differs from run to run or by the number of
// queries.
func alike(t *testing.T, report string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(masked(report)), &all); err != nil {
		t.Fatal(err)
	}
	if notes, there := all["notes"].(map[string]any); there {
		delete(notes, "alerts") // in the order in which they came
	}
	raw, _ := json.MarshalIndent(all, "", " ")
	return string(raw)
}

func TestTheReportOnPostgresIsThatOfMemory(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	same := func(name, input string, args ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reader.SameOnPostgres(t, url, func(o outcome) any { return alike(t, o.Stdout) }, input, append([]string{"-env", "test"}, args...)...)
		})
	}
	same("what the one command runs", string(example))
	same("a good checkout", string(example), "-incident", "none")
	same("no JSON", customer(t, "rejected")[1:], "-incident", "none")
	for _, tt := range whatCanGoWrong {
		fields := tt.fields
		if fields == "" {
			fields = `{}`
		}
		same(tt.name, with(t, fields), tt.args...)
	}
}

func TestAfterACrashAtAnyBoundaryTheSameCommandGoesOnAndTheJournalMissesNothing(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	for _, step := range stepNames {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			input := customer(t, "crashes after "+step)
			command := []string{"-db", url, "-env", "test", "-incident", "none", "-crash-after", step, "-json", "-input", "-"}
			reader.Crash(t, input, nil, command...)
			o := reader.Start(t, input, nil, command...).End(t)
			onceOnly(t, o)
			for _, s := range o.Tasks[0].Steps {
				if s.Attempts != 1 {
					t.Errorf("%s took %d attempts", s.Name, s.Attempts)
				}
			}
			tag := posttest.Ask[string](t, url, "select tag from tasker.tasks where id = $1::uuid", o.Tasks[0].ID)
			unread := posttest.Ask[int](t, url, `select count(*) from tasker.events e where e.task = $1::uuid
				and (e.stamp is null or e.stamp > (select done from tasker.consumers where name = 'journal.' || $2))`, o.Tasks[0].ID, tag)
			if unread != 0 {
				t.Errorf("%d events are unread by the journal's cursor", unread)
			}
		})
	}
}

func TestTheTraceGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), customer(t, "is traced")
	command := []string{"-db", url, "-env", "test", "-incident", "none", "-crash-after", "process_payment", "-input", "-"}
	reader.Crash(t, input, nil, command...)
	o := reader.Start(t, input, nil, command...).End(t)
	trace := posttest.Ask[string](t, url, "select split_part(event::json->>'trace', '-', 2) from tasker.events where name = 'payment.processed' limit 1")
	if o.Exit != 0 || !strings.Contains(o.Stdout, "trace "+trace) || !strings.Contains(o.Stdout, "tasker.step.execute update_inventory") {
		t.Errorf("exit %d; the trace of the first process is %s\n%s%s", o.Exit, trace, o.Stdout, o.Stderr)
	}
}

func TestACopyOfTheFolderBuildsAndRunsByItself(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it builds everything again")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "tasker")); err != nil {
		t.Skip("this folder is a copy itself")
	}
	copied := filepath.Join(t.TempDir(), "starter")
	if err := os.CopyFS(copied, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(module), "module github.com/tasker-systems/tasker-go\n", "module starter\n", 1) +
		"\nrequire github.com/tasker-systems/tasker-go v0.0.0\nreplace github.com/tasker-systems/tasker-go => " + root + "\n"
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.mod": text, "go.sum": string(sums)} {
		if err := os.WriteFile(filepath.Join(copied, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "test", "-mod=mod", "-run", "GoodCheckout|RulesAndTheDashboard", ".")
	command.Dir = copied
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("the copy's tests: %v\n%s", err, output)
	}
}
