package main

import (
	"fmt"
	"strings"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/customersuccess"
	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/payments"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// notes are the figures for the report: what the teams left behind.
func notes(w *post.World, task tasker.ID) map[string]any {
	return map[string]any{
		payments.Namespace:        payments.New(w).Figures(task),
		customersuccess.Namespace: customersuccess.New(w).Figures(task),
	}
}

// tell puts the figures into words.
func tell(w *post.World, task tasker.ID) []string {
	paid := payments.New(w).Figures(task)
	lines := []string{"payments moved nothing"}
	if paid.Refunds > 0 {
		lines = []string{fmt.Sprintf("payments gave back %s USD: %s by %s of the gateway, %s, %s",
			paid.Refunded, post.Count(paid.Refunds, "refund"), post.Count(paid.GatewayCalls, "call"),
			post.Count(paid.Records, "record"), post.Count(paid.Mails, "mail"))}
	}
	for _, id := range paid.ToReconcile {
		lines = append(lines, "the books may not know of refund "+id+": it is to be reconciled")
	}
	for id, status := range customersuccess.New(w).Figures(task).Tickets {
		lines = append(lines, fmt.Sprintf("ticket %s is %s", id, strings.ReplaceAll(status, "_", " ")))
	}
	return lines
}
