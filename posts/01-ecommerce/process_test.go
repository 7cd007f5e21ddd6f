package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
)

func TestMain(m *testing.M) { posttest.Main(m, main) }

// reader runs the post as its reader does.
var reader = posttest.Runner[noted]{Post: thisPost}

type outcome = posttest.Outcome[noted]

// noted is what the tests read of the report's notes.
type noted struct {
	Charges      int              `json:"charges"`
	Charged      json.Number      `json:"charged"`
	GatewayCalls int              `json:"gateway_calls"`
	Refunds      int              `json:"refunds"`
	Refunded     json.Number      `json:"refunded"`
	Stock        map[string]int64 `json:"stock"`
	Orders       int              `json:"orders"`
	Mails        int              `json:"mails"`
}

// customer is an order of 2 pieces of product 1 and one of product 2, by a
// customer of that name.
func customer(name string) string {
	return customerOrder(fmt.Sprintf(`"email": "customer@example.com", "name": %q`, name), "tok_test_valid", "124.76", 1, 2, 2, 1)
}

// onceOnly checks that an order of customer left behind what one order does.
func onceOnly(t *testing.T, o outcome) {
	t.Helper()
	if o.Exit != 0 || len(o.Tasks) == 0 {
		t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	for _, task := range o.Tasks {
		for _, s := range task.Steps {
			if s.State != "complete" || s.Error != nil {
				t.Errorf("%s is %s, with error %v", s.Name, s.State, s.Error)
			}
		}
	}
	if n := o.Notes; n.Charges != 1 || n.Charged != "124.76" || n.Orders != 1 || n.Mails != 1 || n.Stock["1"] != 98 || n.Stock["2"] != 49 {
		t.Errorf("what is left behind: %+v", n)
	}
}
