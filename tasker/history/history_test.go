package history_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/history"
)

func TestALineStaysALineAndSteersNoTerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a plain line":             "a plain line",
		"größe 日本 🙂":               "größe 日本 🙂",
		" two\r\n\tlines\v and\f ": "two lines and",
		"\x1b[31mred\x1b[0m\a":     `\x1b[31mred\x1b[0m\a`,
		"\u009b2J\u202egnp.exe":    `\u009b2J\u202egnp.exe`,
		`"quoted" 'twice' \`:       `"quoted" 'twice' \`,
		"":                         "",
	} {
		if got := history.Line(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestEachEventHasOneLineWhateverPeopleWrite(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	text := history.Text([]tasker.Record{
		{Seq: 1, At: at, Events: []tasker.Event{{Kind: tasker.Submitted, Context: []byte("{}")}}},
		{Seq: 2, At: at.Add(time.Second), Events: []tasker.Event{
			{Kind: tasker.Failed, Step: "pay", Attempt: 1, Error: tasker.Permanent("NO", "no\nmoney\x1b[2J")},
			{Kind: tasker.RetriedByHand, Step: "pay", Actor: "an\tna", Reason: "the bank\r\nis open"},
			{Kind: tasker.Cancelled},
		}},
	})
	const want = `
   #1        0s       submitted with {}
   #2        1s  pay  attempt 1 fails for good: NO: no money\x1b[2J
                 pay  is given another chance by an na: the bank is open
                      cancelled by hand
`
	if got := "\n" + text; got != want {
		t.Errorf("the history is%s", strings.ReplaceAll(got, "\x1b", "ESC"))
	}
}
