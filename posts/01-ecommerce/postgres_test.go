package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
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
			if onPostgres.Took > 2*time.Second {
				t.Errorf("it took %v on PostgreSQL, want under 2s", onPostgres.Took)
			}
		})
	}
	same("a good order", string(example))
	same("lost answers", customer("lost answers"), "-fail", "process_payment=2", "-fail", "create_order=2")
	same("a timeout after the charge", order("tok_simulate_timeout", "38.38", 1, 1))
	same("a premium customer", customerOrder(`"email": "premium@example.com", "name": "P", "tier": "premium"`, "tok_test_premium", "38.38", 1, 1))
	same("an order that is refused", order("tok_test_valid", "38.38"))
	for _, tt := range afterTheCharge {
		same("undone: "+tt.name, customer("undone"), tt.args...)
	}
	for _, tt := range whatCanGoWrong {
		same(tt.name, tt.input, tt.args...)
	}
}

var masks = []posttest.Mask{
	posttest.Hide(`\b(pay|txn|ref|rsv|log|msg)_[0-9a-f]{12,24}\b`, "$1_ID"),
	posttest.Hide(`\bORD-\d{8}-[0-9A-F]{8}\b`, "ORD-ID"),
	posttest.Hide(`\b\d{10}\b`, "NUMBER"),
}

// masked is a report without what differs from run to run.
func masked(o outcome) any { return posttest.Masked(o.Stdout, masks...) }

func TestManyOrdersOnPostgresEachHaveAWorldOfTheirOwn(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, order("tok_test_valid", "3253.91", 1, 100), "-n", "50", "-db", taskertest.Database(t))
	if o.Exit != 0 || len(o.Tasks) != 50 {
		t.Fatalf("exit %d, %d tasks\n%s", o.Exit, len(o.Tasks), o.Stderr)
	}
	if o.Notes.Stock["1"] != 0 || o.Notes.Charges != 1 {
		t.Errorf("the first world is left with %+v", o.Notes)
	}
}

func TestADatabaseThatCannotBeReachedIsOneLineAndExitThree(t *testing.T) {
	t.Parallel()
	for _, url := range []string{
		"postgres://shop:geheim@127.0.0.1:1/shop",
		"postgresql://shop:geheim@localhost:1/shop?connect_timeout=1",
		"postgres:///shop?host=/nowhere&password=geheim",
	} {
		o := reader.Run(t, "", "-db", url)
		if o.Exit != 3 || o.Stdout != "" || strings.Count(o.Stderr, "\n") != 1 || strings.Contains(o.Stderr, "geheim") {
			t.Errorf("exit %d, stdout %q, stderr %q", o.Exit, o.Stdout, o.Stderr)
		}
	}
}

func TestADatabaseThatIsNotThereIsExitThreeToo(t *testing.T) {
	t.Parallel()
	url := strings.Replace(taskertest.Database(t), "/t_", "/no_", 1)
	o := reader.Run(t, "", "-db", url)
	if o.Exit != 3 || strings.Count(o.Stderr, "\n") != 1 || !strings.Contains(o.Stderr, "does not exist") {
		t.Errorf("exit %d, stderr %q", o.Exit, o.Stderr)
	}
}

func TestDatabaseURLIsTheDefault(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	for _, args := range [][]string{{}, {"-db", "postgres"}, {"-db", "memory"}} {
		if o := reader.Start(t, "", []string{"DATABASE_URL=" + url}, args...).End(t); o.Exit != 0 || o.Stderr != "" {
			t.Fatalf("%q: exit %d\n%s", args, o.Exit, o.Stderr)
		}
	}
	if tasks := posttest.Ask[int](t, url, "select count(*) from tasker.tasks"); tasks != 2 {
		t.Errorf("%d of the runs were on DATABASE_URL, want the two without -db memory", tasks)
	}
	if o := reader.Start(t, "", []string{"DATABASE_URL=mysql://shop:secret@localhost/shop"}).End(t); o.Exit != 2 || strings.Count(o.Stderr, "\n") != 1 || strings.Contains(o.Stderr, "secret") {
		t.Errorf("exit %d, stderr %q", o.Exit, o.Stderr)
	}
}

// The server of these tests is not the user's: its folder is the test's own.
func TestTheLocalServerEndsWithTheRunUnlessItIsKeptOrCrashes(t *testing.T) {
	t.Parallel()
	taskertest.PostgresURL(t) // skips where there is none
	cache, err := os.MkdirTemp("", "cache")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(cache, 0o755); err != nil { // for the user that root leaves the server to
		t.Fatal(err)
	}
	pid := func() int { return serverIn(cache) }
	t.Cleanup(func() {
		if server := pid(); server != 0 {
			t.Errorf("a server was left behind, process %d", server)
			_ = exec.Command("kill", "-QUIT", strconv.Itoa(server)).Run()
			time.Sleep(time.Second)
		}
		_ = os.RemoveAll(cache)
	})
	environment, input := []string{"XDG_CACHE_HOME=" + cache}, customer("at home")

	reader.Crash(t, input, environment, "-db", "postgres", "-input", "-", "-crash-after", "process_payment")
	if pid() == 0 {
		t.Fatal("the server did not survive the crash")
	}
	o := reader.Start(t, input, environment, "-db", "postgres", "-input", "-", "-json", "-crash-after", "process_payment").End(t)
	onceOnly(t, o)
	if server := pid(); server != 0 {
		t.Errorf("the run has ended and its server, process %d, has not", server)
	}

	o = reader.Start(t, customer("who waits for a person"), environment, "-db", "postgres", "-input", "-", "-fail", "create_order=permanent", "-fail", "undo:process_payment=permanent").End(t)
	if o.Exit != 1 || !strings.HasSuffix(o.Stdout, "-fail undo:process_payment=permanent -keep\n") {
		t.Errorf("exit %d, and a person is not led to a server that stays:\n%s", o.Exit, o.Stdout)
	}

	o = reader.Start(t, input, environment, "-db", "postgres", "-input", "-", "-keep").End(t)
	if o.Exit != 0 || pid() == 0 {
		t.Fatalf("exit %d, the kept server is process %d\n%s", o.Exit, pid(), o.Stderr)
	}
	connect := regexp.MustCompile(`psql '([^']+)'`).FindStringSubmatch(o.Stderr)
	stop := regexp.MustCompile(`Stop it: (.+), or run`).FindStringSubmatch(o.Stderr)
	if connect == nil || stop == nil {
		t.Fatalf("it does not say how to connect and how to stop it:\n%s", o.Stderr)
	}
	if tasks := posttest.Ask[int](t, connect[1], "select count(*) from tasker.tasks"); tasks != 3 {
		t.Errorf("the kept server has %d tasks, want 3", tasks)
	}
	if out, err := exec.Command("sh", "-c", stop[1]).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", stop[1], err, out)
	}
	for patience := time.Now().Add(time.Minute); pid() != 0 && time.Now().Before(patience); {
		time.Sleep(20 * time.Millisecond)
	}
}

// serverIn is the process of the server whose data is in a cache folder; 0
// for none.
func serverIn(cache string) int {
	files, _ := filepath.Glob(filepath.Join(cache, "tasker-go", "postgres-*", "postmaster.pid"))
	if len(files) == 0 {
		return 0
	}
	content, _ := os.ReadFile(files[0])
	first, _, _ := strings.Cut(string(content), "\n")
	pid, _ := strconv.Atoi(first)
	return pid
}

// What the world keeps must come back from PostgreSQL as it was.
func TestEverythingThatTheWorldKeepsComesBackFromJSON(t *testing.T) {
	t.Parallel()
	world := post.NewWorld()
	shop := newShop(world)
	ctx := stepContext(t, "process_payment", 1)
	order, err := shop.fragileCheckout(ctx, []CartItem{{1, 2}, {2, 1}}, Customer{Email: "customer@example.com"}, card)
	if err != nil || order.OrderNumber == "" {
		t.Fatal(order, err)
	}
	root := tasker.Current(ctx).RootID
	comesBack(t, shop.Gateway.ledger, root)
	comesBack(t, shop.Stock.shelves, root)
	comesBack(t, shop.Orders.book, root)
	comesBack(t, shop.Mail.outbox, root)
}

func comesBack[T any](t *testing.T, kept *post.Kept[T], root tasker.ID) {
	t.Helper()
	kept.Of(root, func(value T) {
		raw, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		var again T
		if err := json.Unmarshal(raw, &again); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(value, again); diff != "" {
			t.Errorf("%T does not come back as it was:\n%s", value, diff)
		}
	})
}
