package main

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// atTheDesk answers a parked approval as taskerctl does: on the database, with
// no worker anywhere.
func atTheDesk(t *testing.T, url, task string, approval tasker.Approval) error {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	store, err := postgres.Open(t.Context(), url, postgres.Options{Existing: true, NoListen: true, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	engine, err := tasker.New(tasker.Config{Store: store, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	id, err := tasker.ParseID(task)
	if err != nil {
		t.Fatal(err)
	}
	_, err = engine.Answer(t.Context(), id, "get_manager_approval", approval, tasker.By{Actor: approval.By, Reason: approval.Reason})
	return err
}

func TestAParkedApprovalSurvivesAKillAndARestartOnPostgres(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), ticket("ticket_parked", "cust_1", 4999)
	command := []string{"-db", url, "-input", "-"}

	p := reader.Start(t, input, nil, append(command, "-approver", "late")...) // lives on while it waits
	p.Until(t, "get_manager_approval", "waits for")
	_ = p.Process.Kill()
	if p.End(t); !p.Killed() {
		t.Fatalf("the post was not killed:\n%s", p.Shown())
	}

	task := posttest.Ask[string](t, url, "select id::text from tasker.tasks where namespace = 'customer_success'")
	if err := atTheDesk(t, url, task, tasker.Approval{Approved: true, By: "mgr_9", Reason: "a good customer"}); err != nil {
		t.Fatalf("approving with no worker: %v", err)
	}
	if err := atTheDesk(t, url, task, tasker.Approval{By: "mgr_8"}); !errors.Is(err, tasker.ErrRefused) {
		t.Errorf("a second answer gets %v", err)
	}

	o := reader.Start(t, input, nil, append(command, "-approver", "nobody", "-json")...).End(t)
	refundedOnce(t, o)
	if o.Tasks[0].ID != task {
		t.Errorf("the command went on with task %s, and the parked one is %s", o.Tasks[0].ID, task)
	}
	given{"manager_id": `"mgr_9"`, "manager_notes": `"a good customer"`, "auto_approved": "false"}.in(t, o.Tasks[0], "get_manager_approval")
	if s := o.Step("get_manager_approval"); s.Attempts != 1 {
		t.Errorf("the approval took %d attempts, want 1", s.Attempts)
	}
}

func TestAnApprovalThatNobodyGivesEndsTheRunAndSaysHowToHelp(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	o := reader.Run(t, string(example), "-approver", "nobody", "-db", url, "-input", "-")
	if o.Exit != 1 || !strings.Contains(o.Stdout, "get_manager_approval waits for an answer") ||
		!strings.Contains(o.Stdout, "taskerctl approvals approve -db '"+url+"'") {
		t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	parked := reader.Report(t, string(example), "-approver", "nobody", "-db", url)
	if parked.Tasks[0].State != "waiting" || parked.Notes.Payments.Refunds != 0 || len(parked.Tasks) != 1 {
		t.Fatalf("the task is %s", parked.Tasks[0].State)
	}
	prompt := posttest.Ask[string](t, url, "select event -> 'wait' ->> 'prompt' from tasker.records, json_array_elements(events::json) event where event ->> 'kind' = 'parked' limit 1")
	for _, want := range []string{"ticket_cs_789", "4999", "Product defective", "agent_17"} {
		if !strings.Contains(prompt, want) {
			t.Errorf("whoever is asked does not read %s: %s", want, prompt)
		}
	}
	if err := atTheDesk(t, url, parked.Tasks[0].ID, tasker.Approval{By: "mgr_2", Reason: "no"}); err != nil {
		t.Fatal(err)
	}
	denied := reader.Report(t, string(example), "-approver", "nobody", "-db", url)
	if e := denied.Step("get_manager_approval").Error; denied.Exit != 1 || e == nil || e.Code != "APPROVAL_DENIED" || e.Context["manager_id"] != "mgr_2" {
		t.Errorf("exit %d, %+v", denied.Exit, e)
	}
}

func TestWhoAsksForARefundCannotApproveIt(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), ticket("ticket_self", "cust_1", 4999)
	parked := reader.Report(t, input, "-approver", "self", "-db", url)
	if s := parked.Step("get_manager_approval"); parked.Exit != 1 || s.State != "waiting" || parked.Notes.Payments.Refunds != 0 {
		t.Fatalf("after the requester's own approval the step is %s, and payments made %d refunds", s.State, parked.Notes.Payments.Refunds)
	}
	for _, by := range []string{"agent_17", ""} {
		if err := atTheDesk(t, url, parked.Tasks[0].ID, tasker.Approval{Approved: true, By: by}); err != nil {
			t.Fatal(err)
		}
		if again := reader.Report(t, input, "-approver", "nobody", "-db", url); again.Step("get_manager_approval").State != "waiting" {
			t.Errorf("an approval by %q counts", by)
		}
	}
	if err := atTheDesk(t, url, parked.Tasks[0].ID, tasker.Approval{Approved: true, By: "mgr_4"}); err != nil {
		t.Fatal(err)
	}
	o := reader.Report(t, input, "-approver", "nobody", "-db", url)
	refundedOnce(t, o)
	given{"manager_id": `"mgr_4"`}.in(t, o.Tasks[0], "get_manager_approval")
	if refused := o.Metadata(t, "get_manager_approval", "refused_approvals"); refused != "3" {
		t.Errorf("%s approvals were refused, want 3", refused)
	}
	s := o.Step("get_manager_approval")
	t.Attr("attempts", strconv.Itoa(s.Attempts))
	if s.Attempts != 1 {
		t.Errorf("the approval took %d attempts, want 1", s.Attempts)
	}
}

func TestAfterTheRequestersOwnApprovalTheQuestionIsPutOnceMore(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-approver", "self")
	if o.Exit != 1 || !strings.Contains(o.Stdout, `get_manager_approval waits for an answer to "approval 2"`) || !strings.Contains(o.Stdout, "payments moved nothing") {
		t.Errorf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
}

func TestWhoAsksForARefundMayWithdrawIt(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), ticket("ticket_withdrawn", "cust_1", 4999)
	parked := reader.Report(t, input, "-approver", "nobody", "-db", url)
	if err := atTheDesk(t, url, parked.Tasks[0].ID, tasker.Approval{By: "agent_17"}); err != nil {
		t.Fatal(err)
	}
	o := reader.Report(t, input, "-approver", "nobody", "-db", url)
	if e := o.Step("get_manager_approval").Error; e == nil || e.Code != "APPROVAL_DENIED" {
		t.Errorf("exit %d, %+v", o.Exit, e)
	}
}

func TestAnApprovalExpiresAfterFiveMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		templates, handlers := everything(t, post.NewWorld())
		engine := taskertest.New(t, templates, handlers, taskertest.OnMemory(t))
		began := time.Now()
		id := engine.Submit("customer_success/process_refund", json.RawMessage(ticket("ticket_1", "cust_1", 4999)))
		engine.Await(id, "get_manager_approval", tasker.StepWaiting)
		time.Sleep(299 * time.Second)
		engine.Expect(id).Is(tasker.TaskWaiting)
		engine.Patience = 10 * time.Minute
		engine.Await(id, "get_manager_approval", tasker.StepError)
		engine.Expect(id).Is(tasker.TaskError).Step("get_manager_approval").Failed("WAIT_EXPIRED").After(1).
			Step("execute_refund_workflow").NeverStarted()
		if took := time.Since(began); took < 300*time.Second || took > 305*time.Second {
			t.Errorf("it expired after %v", took)
		}
		if _, err := engine.Answer(t.Context(), id, "get_manager_approval", tasker.Approval{Approved: true, By: "mgr_1"}, tasker.By{}); err == nil {
			t.Error("a late answer is taken")
		}
	})
}

func TestAnApproverWhoIsLateFindsTheQuestionExpired(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example), "-env", "impatient", "-approver", "late")
	e := o.Step("get_manager_approval").Error
	if o.Exit != 1 || o.Tasks[0].State != "error" || e == nil || e.Code != "WAIT_EXPIRED" || e.Kind != "permanent" || o.Notes.Payments.Refunds != 0 {
		t.Errorf("exit %d, task %s, %+v", o.Exit, o.Tasks[0].State, e)
	}
}
