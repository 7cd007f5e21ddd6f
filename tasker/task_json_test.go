package tasker_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

func TestAReportShowsOfAnUndoingHowFarItIsAndWhatCameOfIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 11, 30, 12, 0, 0, 0, time.UTC)
	done := tasker.Progress{
		State: tasker.StepComplete, Attempts: 2, MaxAttempts: 5, Result: json.RawMessage(`"<back>"`),
		Metadata: json.RawMessage(`{"a":1}`), StartedAt: now, FinishedAt: now,
	}
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(tasker.TaskStep{Name: "pay", Progress: done, Compensation: &done}); err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"pay","state":"complete","attempts":2,"max_attempts":5,"result":"<back>","metadata":{"a":1},` +
		`"started_at":"2025-11-30T12:00:00Z","finished_at":"2025-11-30T12:00:00Z",` +
		`"compensation":{"state":"complete","attempts":2,"result":"<back>"}}` + "\n"
	if out.String() != want {
		t.Errorf("the step is\n%swant\n%s", out.String(), want)
	}
}
