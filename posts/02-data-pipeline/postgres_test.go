package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

func TestTheReportOnPostgresIsThatOfMemory(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	same := func(name, input string, args ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reader.SameOnPostgres(t, url, func(o outcome) any { return masked(t, o) }, input, append([]string{"-env", "test"}, args...)...)
		})
	}
	same("all of november", string(example))
	same("days without sales", days("2024-01-01", "2024-12-31"))
	same("a window that is refused", days("2025-11-02", "2025-11-01"))
	same("input that is refused", days("yesterday", "today"))
	same("a CRM that heals", november("crm"), "-source", "crm=503x2")
	same("lost answers", november("lost"), "-fail", "extract_sales_data=1", "-fail", "generate_insights=1")
	for _, tt := range whatCanGoWrong {
		same(tt.name, inputOf(tt.input, tt.name), tt.args...)
	}
	for _, tt := range whatFailsLater {
		same(tt.args[1], inputOf("", tt.args[1]), tt.args...)
	}
}

var masks = []posttest.Mask{
	posttest.Hide(`("(in_a_row|side_by_side|saved)_ms": )-?\d+`, "${1}0"),
}

// masked is a report without what differs from run to run. How far the other
// branches have come when a step fails for good is chance, too.
func masked(t *testing.T, o outcome) (report map[string]any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(posttest.Masked(o.Stdout, masks...)))
	d.UseNumber() // amounts as they are written
	if err := d.Decode(&report); err != nil {
		t.Fatal(err)
	}
	if o.Exit == 1 {
		task := report["tasks"].([]any)[0].(map[string]any)
		task["steps"] = slices.DeleteFunc(task["steps"].([]any), func(step any) bool {
			name := step.(map[string]any)["name"].(string)
			return slices.Contains(branches, name) && o.Step(name).Error == nil
		})
	}
	return report
}

// What the world keeps must come back from PostgreSQL as it was.
func TestEverythingThatTheWorldKeepsComesBackFromJSON(t *testing.T) {
	t.Parallel()
	engine, world := engineWith(t, taskertest.OnMemory(t), unchanged)
	id := engine.Submit(thisTask, request("2025-11-01", "2025-11-30"))
	engine.Expect(id).Complete()
	comesBack(t, newArchive(world).objects, id)
	comesBack(t, newDashboard(world).pages, everybody)
	comesBack(t, readsOf(world, sourceCRM), id)
}

func comesBack[T any](t *testing.T, kept *post.Kept[T], root tasker.ID) {
	t.Helper()
	kept.Of(root, func(value T) {
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Contains([]string{"{}", "null", "0"}, string(raw)) {
			t.Errorf("%T is empty", value)
		}
		var again T
		if err := json.Unmarshal(raw, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(value, again); diff != "" {
			t.Errorf("%T does not come back as it was:\n%s", value, diff)
		}
	})
}
