// Package posttest is for the tests of a post: it runs the post as a reader
// does, in this process or in one of its own that may be killed, and reads its
// report.
package posttest

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Report is a run report as a reader has it. It is written apart from the
// program's own types, so that a renamed field is seen. N is what the post's
// tests read of its notes.
type Report[N any] struct {
	Tasks    []Task `json:"tasks"`
	Rejected *struct {
		Code   string `json:"code"`
		Errors []struct {
			Path    string `json:"path"`
			Message string `json:"message"`
		} `json:"errors"`
	} `json:"rejected"`
	Services []struct {
		Name     string `json:"name"`
		Breaker  string `json:"breaker"`
		Calls    int    `json:"calls"`
		Failures int    `json:"failures"`
		Spared   int    `json:"spared"`
	} `json:"services"`
	Notes N `json:"notes"`
}

// Task is a task of a report.
type Task struct {
	ID            string          `json:"id"`
	Namespace     string          `json:"namespace"`
	Name          string          `json:"name"`
	Version       string          `json:"version"`
	State         string          `json:"state"`
	Context       json.RawMessage `json:"context"`
	CorrelationID string          `json:"correlation_id"`
	ParentID      string          `json:"parent_id"`
	CreatedAt     time.Time       `json:"created_at"`
	FinishedAt    time.Time       `json:"finished_at"`
	Warnings      []string        `json:"warnings"`
	Steps         []Step          `json:"steps"`
}

// Step is a step of a task.
type Step struct {
	Name         string   `json:"name"`
	DependsOn    []string `json:"depends_on"`
	Compensation *Tries   `json:"compensation"`
	Tries
}

// Tries is how far a step has come, or its undoing.
type Tries struct {
	State      string          `json:"state"`
	Attempts   int             `json:"attempts"`
	Lost       int             `json:"lost_attempts"`
	Max        int             `json:"max_attempts"`
	Result     json.RawMessage `json:"result"`
	Metadata   json.RawMessage `json:"metadata"`
	Error      *Error          `json:"error"`
	StartedAt  time.Time       `json:"started_at"`
	FinishedAt time.Time       `json:"finished_at"`
}

// Error is the last failure of a step.
type Error struct {
	Kind         string         `json:"kind"`
	Code         string         `json:"code"`
	Message      string         `json:"message"`
	RetryAfterMS int64          `json:"retry_after_ms"`
	Context      map[string]any `json:"context"`
}

// Step gives a step by its name; a zero one when there is none.
func (t *Task) Step(name string) Step {
	for _, s := range t.Steps {
		if s.Name == name {
			return s
		}
	}
	return Step{}
}

// Step gives a step of the submitted task.
func (r *Report[N]) Step(name string) Step {
	if len(r.Tasks) == 0 {
		return Step{}
	}
	return r.Tasks[0].Step(name)
}

// Result gives one field of the result of a step of the submitted task, as it
// stands in the JSON.
func (r *Report[N]) Result(t testing.TB, step, field string) string {
	t.Helper()
	return fieldOf(t, "the result of "+step, r.Step(step).Result, field)
}

// Metadata gives one field of what a step noted beside its result.
func (r *Report[N]) Metadata(t testing.TB, step, field string) string {
	t.Helper()
	return fieldOf(t, "the metadata of "+step, r.Step(step).Metadata, field)
}

func fieldOf(t testing.TB, what string, raw json.RawMessage, field string) string {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatalf("%s: %v\n%s", what, err, raw)
	}
	return string(fields[field])
}

// Outcome is what a run has come to.
type Outcome[N any] struct {
	Report[N]
	Exit           int
	Stdout, Stderr string
	Took           time.Duration
}

// Runner runs a post.
type Runner[N any] struct{ Post post.Post }

// Run runs the post in this process. input is what -input - reads.
func (r Runner[N]) Run(t testing.TB, input string, args ...string) Outcome[N] {
	t.Helper()
	var stdout, stderr bytes.Buffer
	began := time.Now()
	exit := r.Post.Main(t.Context(), args, strings.NewReader(input), &stdout, &stderr)
	return Outcome[N]{Exit: exit, Stdout: stdout.String(), Stderr: stderr.String(), Took: time.Since(began)}
}

// Report runs the post on an input, and reads its report.
func (r Runner[N]) Report(t testing.TB, input string, args ...string) Outcome[N] {
	t.Helper()
	o := r.Run(t, input, append([]string{"-json", "-input", "-"}, args...)...)
	d := json.NewDecoder(strings.NewReader(o.Stdout))
	if err := d.Decode(&o.Report); err != nil || d.More() {
		t.Fatalf("standard output is not exactly one JSON document (%v):\n%s\n%s", err, o.Stdout, o.Stderr)
	}
	return o
}

const runThePost = "RUN_THE_POST"

// Main is the TestMain of a post. It makes the test binary the post itself
// when [Runner.Start] asks it to.
func Main(m *testing.M, main func()) {
	if os.Getenv(runThePost) != "" {
		main()
	}
	if url := os.Getenv("DATABASE_URL"); url != "" {
		// For the tests it is a server to make databases on; for the post it
		// would be where to run.
		os.Setenv("TASKER_TEST_DATABASE_URL", url)
		os.Unsetenv("DATABASE_URL")
	}
	os.Exit(m.Run())
}

// Ask gives the one value that a query finds in a database.
func Ask[T any](t testing.TB, url, query string, args ...any) (answer T) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if err := c.QueryRow(t.Context(), query, args...).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}
