package taskertest_test

import (
	"context"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

const trip = `
namespace_name: shop
name: trip
version: 1.0.0
steps: [{name: book, handler: {callable: book}}, {name: tell, handler: {callable: book}}]
`

const car = `
namespace_name: cars
name: car
version: 1.0.0
steps: [{name: reserve, handler: {callable: reserve}, retry: {limit: 2, backoff_base_ms: 200}}]
`

func TestATaskThatWaitsForItsSubTaskRestsWhenThatOneDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		asks   bool
		faults []taskertest.Option
		want   tasker.TaskState
		child  tasker.TaskState
	}{
		"it is tried again and completes": {faults: []taskertest.Option{taskertest.Fail("reserve", 1)}, want: tasker.TaskComplete, child: tasker.TaskComplete},
		"it asks somebody":                {asks: true, want: tasker.TaskWaiting, child: tasker.TaskWaiting},
		"it is blocked":                   {faults: []taskertest.Option{taskertest.FailForGood("reserve")}, want: tasker.TaskWaiting, child: tasker.TaskBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			taskertest.OnEveryStore(t, func(t *testing.T, store tasker.Store) {
				s := taskertest.New(t, tripTemplates(t), tripHandlers(c.asks), store, c.faults...)
				id := s.Submit("shop/trip", map[string]any{})
				s.Expect(id).Is(c.want)
				children, err := s.Rows(t.Context(), tasker.Filter{Parent: id})
				if err != nil || len(children) != 1 {
					t.Fatalf("the sub-tasks are %v: %v", children, err)
				}
				s.Expect(children[0].ID).Is(c.child)
			})
		})
	}
}

func tripTemplates(t *testing.T) (all []*template.Template) {
	t.Helper()
	for _, source := range []string{trip, car} {
		one, err := template.Parse("trip.yaml", []byte(source))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

func tripHandlers(asks bool) tasker.Handlers {
	return tasker.Handlers{
		"book": tasker.Step(func(ctx context.Context, _ struct{}) (any, error) {
			made, err := tasker.Submit(ctx, tasker.Request{Namespace: "cars", Name: "car", Context: map[string]any{}, IdempotencyKey: tasker.Current(ctx).TaskID.String()})
			if err != nil {
				return nil, err
			}
			_, err = tasker.Await(ctx, made.ID, 0)
			return nil, err
		}),
		"reserve": tasker.Step(func(ctx context.Context, _ struct{}) (any, error) {
			if !asks {
				return nil, nil
			}
			return tasker.Ask[string](ctx, tasker.Question{})
		}),
	}
}
