package main

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// fragile runs the fragile registration while services fail as told. Its
// pauses are short, so that the tests are.
func fragile(t *testing.T, faults ...string) (left figures, err error) {
	t.Helper()
	r, world := open(t)
	scriptAll(t, r, faults)
	fragile := fragileRegistration{r, time.Millisecond}
	err = fragile.register(stepContext(t, 1, "fragile"), NewUser{"ada@example.com", "Ada", "pro"})
	return figuresOf(world, root), err
}

// scriptAll gives the services their faults, as -service does.
func scriptAll(t *testing.T, r *Registration, faults []string) {
	t.Helper()
	for _, text := range faults {
		service, f, err := parseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		script := companyOf(r.world).scripts[service]
		script.faults = append(script.faults, f)
	}
}

func TestTheFragileRegistrationWorksWhenNothingFails(t *testing.T) {
	t.Parallel()
	left, err := fragile(t)
	if err != nil || left.active != 1 || left.profiles != 1 || left.saved != 1 || left.messages != 2 {
		t.Errorf("%v, and there is %+v", err, left)
	}
}

func TestTheFragileRegistrationLeavesAnAccountWithoutBilling(t *testing.T) {
	t.Parallel()
	left, err := fragile(t, "billing=down")
	t.Attr("accounts", strconv.Itoa(left.users))
	t.Attr("profiles", strconv.Itoa(left.profiles))
	if err == nil || left.users != 1 || left.deactivated != 0 || left.profiles != 0 {
		t.Errorf("%v, and there is %+v; the story has a user whom nobody bills and nobody takes back", err, left)
	}
}

func TestTheFragileRegistrationBillsForAnAccountThatIsNeverActive(t *testing.T) {
	t.Parallel()
	left, err := fragile(t, "preferences=down")
	t.Attr("profiles", strconv.Itoa(left.profiles))
	t.Attr("active", strconv.Itoa(left.active))
	if err == nil || left.active != 0 || left.profiles != 1 {
		t.Errorf("%v, and there is %+v; the story has a bill for an account that cannot be used", err, left)
	}
}

func TestTheFragileRegistrationTripsOverItsOwnUserAfterALostAnswer(t *testing.T) {
	t.Parallel()
	left, err := fragile(t, "user=lostx1")
	t.Attr("accounts", strconv.Itoa(left.users))
	t.Attr("active", strconv.Itoa(left.active))
	if err == nil || !strings.Contains(err.Error(), "HTTP_409") || left.users != 1 || left.active != 0 {
		t.Errorf("%v, and there is %+v; the story has a user who may not register because they just did", err, left)
	}
}

func TestTheFragileRegistrationWelcomesTwiceAfterALostAnswer(t *testing.T) {
	t.Parallel()
	left, err := fragile(t, "notification=lostx1")
	t.Attr("messages", strconv.Itoa(left.messages))
	if err != nil || left.messages != 4 {
		t.Errorf("%v, and there is %+v; the story has two welcomes", err, left)
	}
}

func TestTheWorkflowSurvivesWhatBreaksTheFragileRegistration(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{"user=lostx1", "notification=lostx1"} {
		onceOnly(t, reader.Report(t, string(example), "-env", "test", "-service", fault))
	}
	o := reader.Report(t, string(example), "-env", "test", "-service", "billing=down")
	if n := o.Notes; n.Active != 0 || n.Deactivated != 1 || n.Profiles != 0 {
		t.Errorf("without billing there is left %+v", n)
	}
	o = reader.Report(t, string(example), "-env", "test", "-service", "preferences=downx4")
	onceOnly(t, o)
}
