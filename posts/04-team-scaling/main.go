// Post 04: two teams, one name, and a refund that crosses from one to the other.
package main

import (
	_ "embed"
	"fmt"
	"os"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/customersuccess"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

//go:embed example.json
var example []byte

func main() {
	if err := clashes(teams); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", thisPost.Name, err)
		os.Exit(2)
	}
	post.Run(thisPost)
}

var thisPost = post.Post{
	Name:      "04-team-scaling",
	About:     "Runs a refund of post 04, from a customer's ticket through two teams' workflows.",
	Templates: templatesOf(teams),
	Task:      customersuccess.Namespace + "/process_refund",
	Example:   example,
	Flags:     []post.Flag{approverFlag, clashFlag},
	Handlers:  func(w *post.World) tasker.Handlers { return handlersOf(teams, w) },
	Configure: share,
	Answer:    answer,
	Notes:     notes,
	Tell:      tell,
	Next: []string{
		"-approver nobody",
		"-approver deny",
		"-approver self",
		"-env impatient -approver late",
		"-clash template",
		"-clash handler",
		"-task inventory/process_refund",
		"-task payments/process_refund@2.0.0 -input posts/04-team-scaling/payment.json",
		"-fail execute_refund_workflow=2 -env test",
		"-fail update_payment_records=permanent",
		"-json",
	},
}
