package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

var stepNames = []string{"validate_cart", "process_payment", "update_inventory", "create_order", "send_confirmation"}

func TestAfterACrashAtAnyBoundaryTheSameCommandGoesOnAndChargesOnce(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	for at, step := range stepNames {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			input := customer("crashes after " + step)
			command := []string{"-db", url, "-crash-after", step, "-json", "-input", "-"}
			reader.Crash(t, input, nil, command...)
			o := reader.Start(t, input, nil, command...).End(t)
			onceOnly(t, o)
			if o.Notes.GatewayCalls != 1 {
				t.Errorf("the gateway was called %d times, want once", o.Notes.GatewayCalls)
			}
			for i, s := range o.Tasks[0].Steps {
				started := posttest.Ask[int](t, url, "select count(*) from tasker.history where task = $1::uuid and step = $2 and kind = 'started'", o.Tasks[0].ID, s.Name)
				if want := 1 + s.Lost; s.Attempts != 1 || started != want {
					t.Errorf("%s shows %d attempts and was started %d times, want 1 and %d", s.Name, s.Attempts, started, want)
				}
				if i <= at && s.Lost != 0 {
					t.Errorf("%s was done before the crash, and yet lost %d attempts by it", s.Name, s.Lost)
				}
			}
			if runs := posttest.Ask[int](t, url, "select count(*) from tasker_posts.runs where tag = (select tag from tasker.tasks where id = $1::uuid)", o.Tasks[0].ID); runs != 1 {
				t.Errorf("the task belongs to %d runs", runs)
			}
		})
	}
}

func TestACrashInTheMiddleOfAStepLosesTheAttemptAndNothingElse(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), customer("hangs")
	p := reader.Start(t, input, nil, "-db", url, "-input", "-", "-hang", "process_payment=1m")
	p.Until(t, "process_payment", "attempt 1")
	_ = p.Process.Kill()
	p.End(t)
	o := reader.Start(t, input, nil, "-db", url, "-input", "-", "-json").End(t)
	onceOnly(t, o)
	if s := o.Step("process_payment"); s.Attempts != 1 || s.Lost != 1 {
		t.Errorf("process_payment shows %d attempts and %d lost ones, want one of each", s.Attempts, s.Lost)
	}
}

func TestACrashBetweenTheChargeAndItsRecordIsHealedByTheKey(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), customer("was charged and nobody knows")
	command := []string{"-db", url, "-input", "-", "-crash-in", "process_payment"}
	reader.Crash(t, input, nil, command...)
	o := reader.Start(t, input, nil, append(command, "-json")...).End(t)
	onceOnly(t, o)
	if s := o.Step("process_payment"); s.Attempts != 1 || s.Lost != 1 || o.Notes.GatewayCalls != 2 {
		t.Errorf("process_payment shows %d attempts and %d lost ones, and the gateway %d calls; want 1, 1 and 2", s.Attempts, s.Lost, o.Notes.GatewayCalls)
	}
}

func TestACrashAfterALostAnswerDoesNotChargeAgain(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), customer("hears nothing")
	p := reader.Start(t, input, nil, "-db", url, "-input", "-", "-fail", "process_payment=2")
	p.Until(t, "process_payment", "ANSWER_LOST")
	_ = p.Process.Kill()
	p.End(t)
	o := reader.Start(t, input, nil, "-db", url, "-input", "-", "-json").End(t)
	onceOnly(t, o)
	if s := o.Step("process_payment"); s.Attempts < 2 || o.Notes.GatewayCalls < 2 {
		t.Errorf("process_payment shows %d attempts by %d calls, want another one after the lost answer", s.Attempts, o.Notes.GatewayCalls)
	}
}

func TestOfTwoEqualCommandsAfterACrashOneGoesOnAndTheOtherIsANewRun(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), customer("comes twice")
	command := []string{"-db", url, "-json", "-input", "-"}
	reader.Crash(t, input, nil, append(command, "-crash-after", "create_order")...)
	begun := posttest.Ask[string](t, url, "select id::text from tasker.tasks")
	first, second := reader.Start(t, input, nil, command...), reader.Start(t, input, nil, command...)
	a, b := first.End(t), second.End(t)
	onceOnly(t, a)
	onceOnly(t, b)
	if (a.Tasks[0].ID == begun) == (b.Tasks[0].ID == begun) {
		t.Errorf("the task %s was begun; the two commands report %s and %s", begun, a.Tasks[0].ID, b.Tasks[0].ID)
	}
}

func TestManyOrdersGoOnAfterACrash(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), customer("many")
	command := []string{"-db", url, "-json", "-input", "-", "-n", "50", "-crash-after", "create_order"}
	reader.Crash(t, input, nil, command...)
	o := reader.Start(t, input, nil, command...).End(t)
	onceOnly(t, o)
	if len(o.Tasks) != 50 {
		t.Errorf("the report has %d tasks, want 50", len(o.Tasks))
	}
	if wrong := posttest.Ask[int](t, url, "select count(*) from tasker_posts.worlds where name = 'ledger' and json_array_length(value -> 'Charges') <> 1"); wrong != 0 {
		t.Errorf("%d of the worlds have not exactly one charge", wrong)
	}
	if worlds := posttest.Ask[int](t, url, "select count(distinct root) from tasker_posts.worlds"); worlds != 50 {
		t.Errorf("there are %d worlds for 50 orders", worlds)
	}
}

func TestCtrlCLeavesTheOrderForTheSameCommand(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), customer("leaves")
	p := reader.Start(t, input, nil, "-db", url, "-input", "-", "-hang", "process_payment=1m")
	p.Until(t, "process_payment", "attempt 1")
	_ = p.Process.Signal(syscall.SIGINT)
	o := p.End(t)
	if o.Exit != 130 || !strings.HasSuffix(o.Stderr, "interrupted; the same command goes on with what is left\n") {
		t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
	}
	o = reader.Start(t, input, nil, "-db", url, "-input", "-", "-json").End(t)
	onceOnly(t, o)
	if o.Stderr != "" {
		t.Errorf("there was nothing to wait for, and it says:\n%s", o.Stderr)
	}
	if tasks := posttest.Ask[int](t, url, "select count(*) from tasker.tasks"); tasks != 1 {
		t.Errorf("there are %d tasks, want the one that was left", tasks)
	}
}

func TestTheTimelineOfARunThatGoesOnBeginsWithWhatWasDoneBefore(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), customer("reads")
	command := []string{"-db", url, "-input", "-", "-crash-after", "process_payment"}
	reader.Crash(t, input, nil, command...)
	o := reader.Start(t, input, nil, command...).End(t)
	lines := strings.Split(o.Stdout, "\n")
	if o.Exit != 0 || !strings.Contains(lines[0], "by a process that died; this one goes on") ||
		!strings.HasSuffix(lines[1], "done already: validate_cart, process_payment") {
		t.Errorf("exit %d\n%s", o.Exit, o.Stdout)
	}
	if strings.Count(o.Stderr, "\n") != 1 || !strings.Contains(o.Stderr, "to see whether it lives") {
		t.Errorf("while it waited, standard error said:\n%s", o.Stderr)
	}
}

func TestAReaderThatGoesAwayDoesNotEndTheRun(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	p := reader.Start(t, "", nil, "-db", url, "-hang", "process_payment=100ms")
	p.Until(t, "submitted")
	p.GoAway()
	if err := p.Wait(); err != nil {
		t.Fatalf("the post ended by %v\n%s", err, p.Said())
	}
	if complete := posttest.Ask[int](t, url, "select count(*) from tasker.tasks where state = 'complete'"); complete != 1 {
		t.Errorf("%d tasks are complete", complete)
	}
}
