package post_test

import (
	"context"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/taskertest"
)

// refusing is a place where nothing can be written, for a reason.
type refusing struct{ why error }

func (r refusing) Write([]byte) (int, error) { return 0, r.why }

func TestOutputThatGetsLostIsNoSuccess(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-json"}, {}, {"-h"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-approver", "anna"}, args...)
			var said strings.Builder
			exit := bank.Main(t.Context(), args, nil, refusing{syscall.ENOSPC}, &said)
			if exit != 1 || !strings.Contains(said.String(), "standard output") || strings.Count(said.String(), "\n") != 1 {
				t.Errorf("on a full disk: exit %d, %q", exit, said.String())
			}
			said.Reset()
			if exit := bank.Main(t.Context(), args, nil, refusing{syscall.EPIPE}, &said); exit != 0 || said.String() != "" {
				t.Errorf("to a reader that has gone away: exit %d, %q", exit, said.String())
			}
		})
	}
}

func TestAnInterruptEndsARunThatWaitsForItsInput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		typed, keyboard := io.Pipe()
		defer keyboard.Close()
		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, interrupt)
		var said strings.Builder
		if exit := bank.Main(ctx, []string{"-input", "-"}, typed, io.Discard, &said); exit != 130 || !strings.Contains(said.String(), "interrupted") {
			t.Errorf("exit %d, %q", exit, said.String())
		}
	})
}

func TestAnEnvironmentThatIsWrongIsBlamedOnWhereItWasSaid(t *testing.T) {
	t.Setenv("TASKER_ENV", "moon")
	if o := client.Run(t, ""); o.Exit != 2 || !strings.Contains(o.Stderr, "TASKER_ENV moon") {
		t.Errorf("exit %d: %s", o.Exit, o.Stderr)
	}
	if o := client.Run(t, "", "-env", "mars"); o.Exit != 2 || !strings.Contains(o.Stderr, "-env mars") {
		t.Errorf("exit %d: %s", o.Exit, o.Stderr)
	}
	if o := client.Run(t, "", "-env", "development", "-approver", "anna"); o.Exit != 0 {
		t.Errorf("exit %d: %s", o.Exit, o.Stderr)
	}
}

func TestAnAttemptThatHangsUntilItsTimeIsOverCountsAmongThoseThatFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := client.Report(t, `{}`, "-approver", "anna", "-hang", "carry=40s", "-fail", "carry=1")
		if carry := o.Tasks[1].Step("carry"); o.Exit != 0 || carry.Attempts != 2 {
			t.Errorf("exit %d after %d attempts, want 0 after 2\n%s", o.Exit, carry.Attempts, o.Stderr)
		}
	})
}

func TestWhoeverMustHelpIsLedToADatabaseThatIsThere(t *testing.T) {
	t.Parallel()
	url := taskertest.Database(t)
	if o := client.Run(t, "", "-db", url); !strings.Contains(o.Stdout, "Next: go run ./tools/taskerctl approvals approve -db '"+url+"'") {
		t.Errorf("on a server that stays:\n%s", o.Stdout)
	}
	if o := client.Run(t, ""); strings.Contains(o.Stdout, "taskerctl") {
		t.Errorf("in memory:\n%s", o.Stdout)
	}
}
