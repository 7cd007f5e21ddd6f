package post

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

const testLease = time.Second

func newRuns(t *testing.T) *runs {
	t.Helper()
	r, err := openRuns(t.Context(), emptyDatabase(t), testLease)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// anyCommand is what the runs of these tests have in common.
var anyCommand = command{post: "00-test", task: "n/t@1.0.0", template: "t", environment: "development", input: "i", tasks: 1}

// begin begins a run or goes on with one, and says whether it had to wait.
func begin(t *testing.T, r *runs, c command, tag string) (l *life, waited bool) {
	t.Helper()
	l, err := r.begin(t.Context(), c, tag, func(string, ...any) { waited = true })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.stop)
	return l, waited
}

func TestTheTablesCanBeMadeByManyAtOnce(t *testing.T) {
	t.Parallel()
	pool := emptyDatabase(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := openRuns(t.Context(), pool, testLease); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// A session keeps in mind what it did not find, so "if not exists" may make
// what somebody else has made since.
func TestTablesThatSomebodyElseMadeMeanwhileAreSeen(t *testing.T) {
	t.Parallel()
	pool := emptyDatabase(t)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	var nothing *string
	if err := tx.QueryRow(t.Context(), "select to_regclass('tasker_posts.worlds')::text").Scan(&nothing); err != nil || nothing != nil {
		t.Fatal(nothing, err)
	}
	if _, err := openRuns(t.Context(), pool, testLease); err != nil { // over another session
		t.Fatal(err)
	}
	if there, err := tablesThere(t.Context(), tx); err != nil || !there {
		t.Errorf("the tables are there, and it says %t (%v)", there, err)
	}
}

func TestARunThatBeatsIsLeftAlone(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	r.lease = 4 * testLease // a beat may come late on a busy machine
	first, _ := begin(t, r, anyCommand, "first")
	second, waited := begin(t, r, anyCommand, "second")
	if second.resumed || second.tag != "second" || !waited {
		t.Errorf("the second run is %q, which lives; it has waited for a beat: %t", second.tag, waited)
	}
	if ago := second.began.Sub(first.began); ago > r.lease {
		t.Errorf("it took %v to see that; a beat takes a quarter of %v", ago, r.lease)
	}
}

func TestARunThatIsSilentForALeaseIsGoneOnWith(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	first, _ := begin(t, r, anyCommand, "first")
	first.stop() // as if it had died
	second, _ := begin(t, r, anyCommand, "second")
	if !second.resumed || second.tag != "first" || second.gaveUp || second.ago < testLease {
		t.Errorf("the second run is %+v", second)
	}
}

func TestARunThatWasLetGoIsGoneOnWithAtOnce(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	first, _ := begin(t, r, anyCommand, "first")
	if err := first.end(runLetGo); err != nil {
		t.Fatal(err)
	}
	second, waited := begin(t, r, anyCommand, "second")
	if second.tag != "first" || !second.gaveUp || waited {
		t.Errorf("after waiting: %t, the second run is %+v", waited, second)
	}
}

func TestARunThatIsOverOrUndoneOrOfAnotherCommandIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	for i, fate := range []string{runOver, runUndone} {
		l, _ := begin(t, r, anyCommand, fmt.Sprint("ended ", i))
		if err := l.end(fate); err != nil {
			t.Fatal(err)
		}
	}
	others := []command{anyCommand, anyCommand, anyCommand, anyCommand, anyCommand, anyCommand}
	others[0].post, others[1].task, others[2].template = "01-other", "n/t@2.0.0", "u"
	others[3].environment, others[4].input, others[5].tasks = "test", "j", 2
	for i, c := range others {
		l, _ := begin(t, r, c, fmt.Sprint("other ", i))
		if err := l.end(runLetGo); err != nil {
			t.Fatal(err)
		}
	}
	if l, _ := begin(t, r, anyCommand, "new"); l.resumed {
		t.Errorf("it goes on with %q", l.tag)
	}
}

func TestOfManyWhoFindADeadRunOneGoesOnWithIt(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	first, _ := begin(t, r, anyCommand, "first")
	first.stop()
	lives := make([]*life, 6)
	var all sync.WaitGroup
	for i := range lives {
		all.Go(func() {
			var err error
			if lives[i], err = r.begin(t.Context(), anyCommand, fmt.Sprint("new ", i), saying(t)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	resumed := 0
	for _, l := range lives {
		t.Cleanup(l.stop)
		if l.resumed {
			resumed++
		}
	}
	if resumed != 1 {
		t.Errorf("%d runs go on with the dead one", resumed)
	}
}

func TestWaitingForARunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r := newRuns(t)
	r.lease = time.Hour
	begin(t, r, anyCommand, "first")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	said := 0
	_, err := r.begin(ctx, anyCommand, "second", func(string, ...any) { said++; cancel() })
	if !errors.Is(err, context.Canceled) || said != 1 {
		t.Errorf("the error is %v, after %d words on what it waits for", err, said)
	}
}

func TestEqualInputHasTheHashThatTheEngineGivesIt(t *testing.T) {
	t.Parallel()
	of, err := template.Parse("t.yaml", []byte("{name: t, namespace_name: n, version: 1.0.0, steps: [{name: s, handler: {callable: s}}]}"))
	if err != nil {
		t.Fatal(err)
	}
	store := memory.New()
	engine, err := tasker.New(tasker.Config{Store: store, Templates: []*template.Template{of}, Handlers: tasker.Handlers{
		"s": tasker.Step(func(context.Context, struct{}) (int, error) { return 0, nil }),
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, input := range []string{`{"b": 1.50, "a": ["<&>", null, 1e3, 12345678901234567890]}`, "{ \"a\":[\"\\u003c&>\",null,1e3,12345678901234567890],\n\"b\":1.50 }"} {
		if _, err := engine.Submit(t.Context(), tasker.Request{Namespace: "n", Name: "t", Context: json.RawMessage(input)}); err != nil {
			t.Fatal(err)
		}
		rows, err := store.Rows(t.Context(), tasker.Filter{InputHash: hashOf(json.RawMessage(input))})
		if err != nil || len(rows) == 0 {
			t.Errorf("the engine has another hash for %s (%v)", input, err)
		}
	}
}

func TestAnErrorIsOneLine(t *testing.T) {
	t.Parallel()
	if got := oneLine(errors.Join(errors.New("a\tb"), errors.New("c"))); got != "a b; c" || strings.Contains(got, "\n") {
		t.Errorf("it is %q", got)
	}
}
