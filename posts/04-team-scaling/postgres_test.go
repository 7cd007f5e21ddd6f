package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/post/posttest"
	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

func TestTheReportOnPostgresIsThatOfMemory(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	same := func(name, input string, args ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onPostgres := reader.SameOnPostgres(t, url, masked, input, append([]string{"-env", "test"}, args...)...)
			if onPostgres.Took > 3*time.Second {
				t.Errorf("it took %v on PostgreSQL, want under 3s", onPostgres.Took)
			}
		})
	}
	same("the example", string(example))
	same("a premium customer", ticket("ticket_cs_789", "cust_premium_456", 4999))
	same("a gold customer", ticket("ticket_concurrent_456", "cust_gold_789", 2999))
	same("a payment", payment("pay_concurrent_123", 2999, mail), toPayments...)
	same("the version before", payment("pay_concurrent_123", 2999, mail), "-task", "payments/process_refund@2.0.0")
	same("a request that is refused", payment("pay-1", 2999, mail), toPayments...)
	same("a delegation that is tried again", string(example), "-fail", "execute_refund_workflow=2")
	same("lost answers of the gateway", string(example), "-fail", "process_gateway_refund=9")
	for _, tt := range whatCanGoWrong {
		same(tt.name, tt.input, tt.args...)
	}
}

var masks = []posttest.Mask{
	posttest.Hide(`\b(rfnd|gtx|rec|msg|appr|cs|pay)([_-])[0-9a-f]{16,24}\b`, "$1$2ID"),
}

// masked is a report without what differs from run to run.
func masked(o outcome) any { return posttest.Masked(o.Stdout, masks...) }

func TestAfterACrashAtAnyBoundaryOfEitherTeamTheSameCommandGoesOnAndRefundsOnce(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	for _, step := range slices.Concat(ticketSteps, paymentSteps) {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			input := ticket("ticket_"+step, "cust_1", 4999)
			command := []string{"-db", url, "-crash-after", step, "-json", "-input", "-"}
			reader.Crash(t, input, nil, command...)
			o := reader.Start(t, input, nil, command...).End(t)
			refundedOnce(t, o)
			if calls := o.Notes.Payments.GatewayCalls; calls < 1 || calls > 2 {
				t.Errorf("the gateway was called %d times", calls)
			}
			if tasks := posttest.Ask[int](t, url, "select count(*) from tasker.tasks where tag = (select tag from tasker.tasks where id = $1::uuid)", o.Tasks[0].ID); tasks != 2 {
				t.Errorf("the run has %d tasks, want the ticket's and its refund", tasks)
			}
		})
	}
}

func TestACrashInTheMiddleOfTheDelegationMakesNoSecondRefund(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), ticket("ticket_hangs", "cust_1", 4999)
	p := reader.Start(t, input, nil, "-db", url, "-input", "-", "-fail", "execute_refund_workflow=1")
	p.Until(t, "execute_refund_workflow", "ANSWER_LOST")
	_ = p.Process.Kill()
	p.End(t)
	o := reader.Start(t, input, nil, "-db", url, "-input", "-", "-json").End(t)
	refundedOnce(t, o)
	if s := o.Step("execute_refund_workflow"); s.Attempts+s.Lost < 2 {
		t.Errorf("it took %d attempts, and %d were lost", s.Attempts, s.Lost)
	}
}

func TestManyTicketsGoOnAfterACrash(t *testing.T) {
	t.Parallel()
	url, input := taskertest.Database(t), ticket("ticket_many", "cust_1", 4999)
	command := []string{"-db", url, "-json", "-input", "-", "-n", "15", "-crash-after", "process_gateway_refund"}
	reader.Crash(t, input, nil, command...)
	o := reader.Start(t, input, nil, command...).End(t)
	if o.Exit != 0 || len(o.Tasks) != 30 {
		t.Fatalf("exit %d, %d tasks\n%s", o.Exit, len(o.Tasks), o.Stderr)
	}
	if wrong := posttest.Ask[int](t, url, "select count(*) from tasker_posts.worlds where name = 'payments.ledger' and json_array_length(value -> 'Refunds') <> 1"); wrong != 0 {
		t.Errorf("%d of the worlds have not exactly one refund", wrong)
	}
}

// The folder can be copied as a starter. Its packages are then imported from
// the copy once their import path is the copy's, as README.md says.
func TestTheFolderBuildsWhereItIsCopiedTo(t *testing.T) {
	t.Parallel()
	where, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tasker-systems/tasker-go").Output()
	if err != nil {
		t.Skipf("the go command does not say where the engine is: %v", err)
	}
	engine, copied := strings.TrimSpace(string(where)), filepath.Join(t.TempDir(), "refunds")
	if err := os.CopyFS(copied, os.DirFS(".")); err != nil {
		t.Fatal(err)
	}
	run := func(script string) string {
		t.Helper()
		command := exec.Command("sh", "-ec", script)
		command.Dir, command.Env = copied, append(os.Environ(), "ENGINE="+engine, "GOFLAGS=-mod=mod", "GOWORK=off", "DATABASE_URL=")
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return string(out)
	}
	run(`rm -f go.mod go.sum && cp "$ENGINE/go.sum" . && go mod init example.com/refunds
		go mod edit -require github.com/tasker-systems/tasker-go@v0.0.0 -replace github.com/tasker-systems/tasker-go="$ENGINE"
		grep -rl 04-team-scaling/ --include='*.go' . | xargs sed -i.bak 's#"[^"]*/\(sim\|payments\|inventory\|customersuccess\)"#"example.com/refunds/\1"#'
		go build -o refund .`)
	packages := run(`go list -deps .`)
	for _, want := range []string{"example.com/refunds/payments\n", "example.com/refunds/customersuccess\n"} {
		if !strings.Contains(packages, want) || strings.Contains(packages, "posts/04-team-scaling") {
			t.Errorf("the copy does not use its own packages: there is no %s in\n%s", want, packages)
		}
	}
	if out := run("./refund"); !strings.Contains(out, "gave back 49.99 USD: 1 refund by 1 call") {
		t.Errorf("the copy says\n%s", out)
	}
}
