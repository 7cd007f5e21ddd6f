package posttest

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Mask puts a word in place of what differs from run to run.
type Mask struct {
	what *regexp.Regexp
	with string
}

// Hide makes a mask of a regular expression; with may name its groups.
func Hide(what, with string) Mask { return Mask{regexp.MustCompile(what), with} }

// everyRun is what differs in every report.
var everyRun = []Mask{
	Hide(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`, "ID"),
	Hide(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?`, "TIME"), // and its zone
}

// Masked is a report without the ids and times of its run, and without what
// more masks say.
func Masked(report string, more ...Mask) string {
	for _, masks := range [][]Mask{everyRun, more} {
		for _, m := range masks {
			report = m.what.ReplaceAllString(report, m.with)
		}
	}
	return report
}

// SameOnPostgres runs the post in memory and on a database, and wants the two
// reports to be alike: what alike makes of them is compared. It gives the
// outcome on the database.
func (r Runner[N]) SameOnPostgres(t testing.TB, url string, alike func(Outcome[N]) any, input string, args ...string) Outcome[N] {
	t.Helper()
	inMemory, onPostgres := r.Report(t, input, args...), r.Report(t, input, append(args[:len(args):len(args)], "-db", url)...)
	if inMemory.Exit != onPostgres.Exit {
		t.Errorf("exit %d in memory, %d on PostgreSQL\n%s", inMemory.Exit, onPostgres.Exit, onPostgres.Stderr)
	}
	if diff := cmp.Diff(alike(inMemory), alike(onPostgres)); diff != "" {
		t.Errorf("the reports differ (- in memory, + on PostgreSQL):\n%s", diff)
	}
	return onPostgres
}
