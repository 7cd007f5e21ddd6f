package post

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

func TestNoLineOfTheTableIsWiderThanTheTerminal(t *testing.T) {
	t.Parallel()
	parsed, err := template.Parse("note.yaml", []byte("{name: note_with_a_long_name, namespace_name: the_desk_of_somebody, version: 1.0.0, steps: [{name: a_step_with_a_rather_long_name, handler: {callable: write}}, {name: send, handler: {callable: send}}]}"))
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`\x1b\[[0-9;]*[a-zA-Z]`)
	began := time.Now()
	for _, width := range []int{1, 20, 50, 80, 200} {
		b := newTable(parsed, nil, width, true, began)
		at := began
		happen := func(step string, e tasker.Event) {
			at = at.Add(time.Second)
			e.Step = step
			b.take(&entry{record: tasker.Record{At: at, Events: []tasker.Event{e}}})
		}
		for n := 1; n <= 12; n++ {
			happen("a_step_with_a_rather_long_name", tasker.Event{Kind: tasker.Started, Attempt: n})
			happen("a_step_with_a_rather_long_name", tasker.Event{Kind: tasker.Retrying, Attempt: n, Error: tasker.Retryable("A_CODE_THAT_SAYS_A_LOT", "no")})
		}
		b.take(&entry{subject: "on call", text: strings.Repeat("a phone rings ", 20)})
		drawn := b.draw(at, false)
		lines := strings.Split(strings.TrimSuffix(codes.ReplaceAllString(drawn, ""), "\n"), "\n")
		if len(lines) != b.lines || len(lines) != 4 {
			t.Errorf("width %d: %d lines are drawn and %d counted, want 4", width, len(lines), b.lines)
		}
		for _, line := range lines {
			if n := utf8.RuneCountInString(line); n > width {
				t.Errorf("width %d: %d signs in %q", width, n, line)
			}
		}
		if again := b.draw(at, true); !strings.HasPrefix(again, fmt.Sprintf("\x1b[%dA", len(lines))) {
			t.Errorf("width %d: the second table is not drawn over the first: %q", width, again)
		}
	}
}
