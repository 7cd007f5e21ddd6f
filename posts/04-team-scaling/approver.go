package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/customersuccess"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// approvers are the people who may sit at the approval portal. Each reads what
// a parked step asks, and answers or does not.
var approvers = map[string]func(q *tasker.Wait, asked customersuccess.ApprovalRequest) (tasker.Approval, bool){
	"auto": func(_ *tasker.Wait, asked customersuccess.ApprovalRequest) (tasker.Approval, bool) {
		manager := fmt.Sprintf("mgr_%d", len(asked.TicketID)%5+1)
		return tasker.Approval{Approved: true, By: manager, Reason: "approved for " + asked.CustomerID}, true
	},
	"nobody": func(*tasker.Wait, customersuccess.ApprovalRequest) (tasker.Approval, bool) {
		return tasker.Approval{}, false
	},
	"deny": func(*tasker.Wait, customersuccess.ApprovalRequest) (tasker.Approval, bool) {
		return tasker.Approval{By: "mgr_1", Reason: "this customer has three of them"}, true
	},
	"self": func(q *tasker.Wait, asked customersuccess.ApprovalRequest) (tasker.Approval, bool) {
		first := q.Name == "approval 1" // and gives up after that
		return tasker.Approval{Approved: true, By: asked.RequestedBy, Reason: "trust me"}, first
	},
	"late": func(q *tasker.Wait, _ customersuccess.ApprovalRequest) (tasker.Approval, bool) {
		time.Sleep(q.Expires + 50*time.Millisecond)
		return tasker.Approval{Approved: true, By: "mgr_1", Reason: "I was at lunch"}, true
	},
}

var approverFlag = post.Flag{
	Name: "approver", Value: "WHO",
	About: "who answers: auto (default), nobody, deny, self, or late; nobody leaves it to taskerctl",
	Check: func(who string) error {
		if approvers[who] == nil {
			return fmt.Errorf("there is auto, nobody, deny, self and late")
		}
		return nil
	},
}

// answer answers what a parked step of this run asks, as -approver wants it.
func answer(w *post.World, _ *tasker.Task, _ string, q *tasker.Wait) (any, tasker.By, bool) {
	who := "auto"
	for _, value := range w.Flag("approver") {
		who = value
	}
	var asked customersuccess.ApprovalRequest
	if err := json.Unmarshal(q.Prompt, &asked); err != nil {
		return nil, tasker.By{}, false
	}
	approval, ok := approvers[who](q, asked)
	return approval, tasker.By{Actor: approval.By, Reason: approval.Reason}, ok
}
