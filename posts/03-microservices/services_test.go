package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

func TestAnEleventhRequestInAMinuteIsRefusedForAMinute(t *testing.T) {
	t.Parallel()
	r, _ := open(t)
	ctx := stepContext(t, 1, "send_welcome_sequence")
	send := func() error {
		return r.Notifications.Post(ctx, endpoint("notification"), "/sequences", "key", NewSequence{"user_1", "free", []Message{{Channel: "in_app"}}}, &Sequence{})
	}
	for range requestLimit {
		if err := send(); err != nil {
			t.Fatal(err)
		}
	}
	err := send()
	verdictIs(t, err, tasker.KindRetryable, "HTTP_429")
	if v := err.(*tasker.Error); v.RetryAfter != time.Minute {
		t.Errorf("it asks for %v", v.RetryAfter)
	}
}

func TestAPostWithoutAKeyIsRefused(t *testing.T) {
	t.Parallel()
	r, _ := open(t)
	for client, path := range map[*Client]string{r.Users: "user:/users", r.Billing: "billing:/profiles", r.Preferences: "preferences:/preferences", r.Notifications: "notification:/sequences"} {
		service, path, _ := strings.Cut(path, ":")
		err := client.Post(stepContext(t, 1, "step"), endpoint(service), path, "", map[string]string{}, &struct{}{})
		if verdictIs(t, err, tasker.KindPermanent, "CLIENT_VALIDATION_ERROR"); statusOf(err) != http.StatusBadRequest {
			t.Errorf("%s answers %d", service, statusOf(err))
		}
	}
}

func TestAUserWithoutPreferencesReadsTheDefaults(t *testing.T) {
	t.Parallel()
	r, _ := open(t)
	var found UserPreferences
	err := r.Preferences.Get(stepContext(t, 1, "step"), endpoint("preferences"), "/preferences/user_1", &found)
	if err != nil || !found.Fallback || len(found.Preferences) != 7 {
		t.Errorf("%v: %+v", err, found)
	}
}

func TestAnAnswerThatIsNoJSONIsWorthAnotherAttempt(t *testing.T) {
	t.Parallel()
	verdictIs(t, read(strings.NewReader("<html>starting up</html>"), &User{}), tasker.KindRetryable, "UNREADABLE_ANSWER")
}

// logged is a line of the access log.
type logged struct {
	Service, Method, Path, Status string
	CorrelationID                 string `json:"correlation_id"`
}

func readLog(t *testing.T, file string) (text string, lines []logged) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(strings.NewReader(string(raw))); s.Scan(); {
		var l logged
		if err := json.Unmarshal(s.Bytes(), &l); err != nil {
			t.Fatalf("%s: %v", s.Text(), err)
		}
		lines = append(lines, l)
	}
	return string(raw), lines
}

func TestTheCorrelationIDIsInTheLogsOfAllFourServicesAndNoAddressIs(t *testing.T) {
	t.Parallel()
	for name, more := range map[string][]string{"the caller's": {`"correlation_id": "reg_1767225600_0a1b2c3d"`}, "the task's own": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "log")
			// A user who exists has the address looked up; one who is new is billed.
			for _, input := range []string{registration("ada@example.com", "Ada", "pro", more...), registration("existing@example.com", "Existing User", "free", more...)} {
				if err := os.RemoveAll(file); err != nil {
					t.Fatal(err)
				}
				o := reader.Report(t, input, "-log", file)
				want := "reg_1767225600_0a1b2c3d"
				if more == nil {
					want = o.Tasks[0].CorrelationID
				}
				text, lines := readLog(t, file)
				seen := map[string]bool{}
				for _, l := range lines {
					seen[l.Service] = true
					if l.CorrelationID != want || l.Status == "" {
						t.Errorf("want the id %s in %+v", want, l)
					}
				}
				if free := strings.Contains(input, `"free"`); len(seen) != 4 && !free || len(seen) != 3 && free {
					t.Errorf("the services that logged are %v", seen)
				}
				if strings.Contains(text, "example.com") || strings.Contains(text, "%40") || strings.Contains(text, "Ada") {
					t.Errorf("the log tells who it is:\n%s", text)
				}
			}
		})
	}
}

func TestTheCorrelationIDGoesWithTheRepairToo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "log")
	o := reader.Report(t, registration("ada@example.com", "Ada", "pro", `"correlation_id": "reg_1_00000000"`), "-env", "test", "-log", file, "-service", "preferences=503x4")
	onceOnly(t, o)
	_, lines := readLog(t, file)
	repairs := 0
	for _, l := range lines {
		if l.CorrelationID != "reg_1_00000000" {
			t.Errorf("a call without the id: %+v", l)
		}
		if l.Service == "preferences" {
			repairs++
		}
	}
	if repairs != 5 {
		t.Errorf("the preferences service logged %d requests, want 3 of the registration and 2 of the repair", repairs)
	}
}
