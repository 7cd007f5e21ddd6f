package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEachPlanGivesWhatItPromises(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, input    string
		status, userID string // of the account; "" for an id of its own
		price          string // "" for a free plan
		features       int
		keys, custom   int
		channels       []string
		newMessages    int
	}{
		{name: "pro", input: registration("ada@example.com", "Ada Example", "pro"), status: "created", price: "29.99", features: 2, keys: 8, channels: []string{"email", "in_app"}, newMessages: 2},
		{name: "free", input: registration("free.user@example.com", "Free User", "free"), status: "created", keys: 7, channels: []string{"email", "in_app"}, newMessages: 2},
		{name: "no plan is free", input: registration("free.user@example.com", "Free User", ""), status: "created", keys: 7, channels: []string{"email", "in_app"}, newMessages: 2},
		{name: "enterprise", input: registration("enterprise@example.com", "Enterprise Customer", "enterprise"), status: "created", price: "299.99", features: 4, keys: 10, channels: []string{"email", "in_app", "sms"}, newMessages: 3},
		{name: "an existing user", input: registration("existing@example.com", "Existing User", "free"), status: "already_exists", userID: "user_existing_001", keys: 7, channels: []string{"email", "in_app"}},
		{name: "the same in capitals", input: registration("Existing@Example.COM", "Existing User", "free"), status: "already_exists", userID: "user_existing_001", keys: 7, channels: []string{"email", "in_app"}},
		{name: "pro with a theme and a beta", input: registration("ada@example.com", "Ada Example", "pro", `user:"preferences": {"theme": "light", "beta": true}`), status: "created", price: "29.99", features: 2, keys: 9, custom: 2, channels: []string{"email", "in_app"}, newMessages: 2},
		{name: "free without mail", input: registration("free.user@example.com", "Free User", "free", `user:"preferences": {"email_notifications": false}`), status: "created", keys: 7, custom: 1, channels: []string{"in_app"}, newMessages: 1},
		{name: "an address with plus, dots and hyphens", input: registration("ada.l+reg-1@mail-2.example.co.uk", "Ada", "pro"), status: "created", price: "29.99", features: 2, keys: 8, channels: []string{"email", "in_app"}, newMessages: 2},
		{name: "a payment method", input: registration("ada@example.com", "Ada", "pro", `"billing_info": {"payment_method": "card", "billing_address": {"city": "Bree"}}`), status: "created", price: "29.99", features: 2, keys: 8, channels: []string{"email", "in_app"}, newMessages: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, tt.input)
			if o.Exit != 0 || len(o.Tasks) != 1 || o.Tasks[0].State != "complete" {
				t.Fatalf("exit %d\n%s%s", o.Exit, o.Stdout, o.Stderr)
			}
			r := resultsOf(t, o)
			if r.Account.Status != tt.status || tt.userID != "" && r.Account.UserID != tt.userID || tt.userID == "" && !hasID("user_", r.Account.UserID) {
				t.Errorf("the account is %+v", r.Account)
			}
			checkBilling(t, r, tt.price, tt.features)
			if p := r.Preferences; len(p.Preferences) != tt.keys || p.Customizations != tt.custom || p.FallbackUsed || p.Status != "active" || p.DefaultsApplied != len(plans[r.Account.Plan].Preferences) {
				t.Errorf("the preferences are %+v", p)
			}
			if !slices.Equal(r.Welcome.Channels, tt.channels) || r.Welcome.Messages != len(tt.channels) {
				t.Errorf("the welcome is %+v", r.Welcome)
			}
			if o.Notes.Messages != tt.newMessages {
				t.Errorf("%d messages went out, want %d", o.Notes.Messages, tt.newMessages)
			}
			if a := r.Activation; a.Status != "active" || a.Summary.Preferences != tt.keys || a.Summary.Status != "complete" || !a.AllCoordinated || !slices.Equal(a.Summary.Channels, tt.channels) {
				t.Errorf("the activation is %+v", a)
			}
		})
	}
}

// results are what the steps handed on.
type results struct {
	Account     Account
	Billing     Billing
	Preferences Preferences
	Welcome     Welcome
	Activation  Activation
}

func resultsOf(t *testing.T, o outcome) (r results) {
	t.Helper()
	for i, into := range []any{&r.Account, &r.Billing, &r.Preferences, &r.Welcome, &r.Activation} {
		if err := json.Unmarshal(o.Step(stepNames[i]).Result, into); err != nil {
			t.Fatalf("the result of %s: %v\n%s", stepNames[i], err, o.Stderr)
		}
	}
	return r
}

var twelve = regexp.MustCompile(`^[0-9a-f]{12}$`)

func hasID(prefix, id string) bool {
	rest, ok := strings.CutPrefix(id, prefix)
	return ok && twelve.MatchString(rest)
}

func checkBilling(t *testing.T, r results, price string, features int) {
	t.Helper()
	b, a := r.Billing, r.Activation
	if price == "" {
		if b.Status != "skipped_free_plan" || b.BillingID != "" || b.BillingRequired == nil || *b.BillingRequired || b.Message == "" || b.Price != nil {
			t.Errorf("the billing of a free plan is %+v", b)
		}
		if !slices.Equal(a.ServicesSkipped, []string{"billing_service"}) || slices.Contains(a.ServicesDone, "billing_service") || a.Summary.BillingID != "" {
			t.Errorf("of a free plan the activation says %+v", a)
		}
		return
	}
	if b.Price == nil || b.Price.String() != price || b.Currency != "USD" || b.BillingCycle != "monthly" || len(b.Features) != features || b.Status != "active" || !hasID("billing_", b.BillingID) {
		t.Errorf("the billing is %+v", b)
	}
	if want := nextMonth(b.CreatedAt); !b.NextBillingDate.Equal(want) {
		t.Errorf("the next bill comes on %v, want %v", b.NextBillingDate, want)
	}
	if want := []string{"user_service", "billing_service", "preferences_service", "notification_service"}; !slices.Equal(a.ServicesDone, want) || a.ServicesSkipped != nil || a.Summary.BillingID != b.BillingID {
		t.Errorf("the activation says %+v", a)
	}
}

func TestAProRegistrationRunsFiveStepsOnceEachInTheOrderOfTheTemplate(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example))
	onceOnly(t, o)
	var names []string
	for _, s := range o.Tasks[0].Steps {
		names = append(names, s.Name)
		if s.Attempts != 1 {
			t.Errorf("%s took %d attempts", s.Name, s.Attempts)
		}
	}
	if !slices.Equal(names, stepNames) {
		t.Errorf("the steps are %v", names)
	}
	for i, limit := range []int{3, 3, 3, 5, 2} {
		if s := o.Tasks[0].Steps[i]; s.Max != limit {
			t.Errorf("%s may take %d attempts, want %d", s.Name, s.Max, limit)
		}
	}
	for _, s := range o.Services {
		if s.Breaker != "closed" || s.Failures != 0 || s.Spared != 0 || s.Calls == 0 {
			t.Errorf("the report says of a service: %+v", s)
		}
	}
	if len(o.Services) != 4 {
		t.Errorf("there are %d services", len(o.Services))
	}
}

func TestEachStepNotesWhatItDid(t *testing.T) {
	t.Parallel()
	o := reader.Report(t, string(example))
	for _, tt := range []struct{ step, field, want string }{
		{"create_user_account", "operation", `"create_user"`},
		{"create_user_account", "service", `"user_service"`},
		{"create_user_account", "idempotent", `false`},
		{"setup_billing_profile", "operation", `"setup_billing"`},
		{"setup_billing_profile", "billing_required", `true`},
		{"initialize_preferences", "custom_preferences_count", `0`},
		{"send_welcome_sequence", "channels_used", `2`},
		{"update_user_status", "workflow_complete", `true`},
	} {
		if got := o.Metadata(t, tt.step, tt.field); got != tt.want {
			t.Errorf("%s notes %s as %s, want %s", tt.step, tt.field, got, tt.want)
		}
	}
}

func TestTheNextBillComesInACalendarMonth(t *testing.T) {
	t.Parallel()
	for from, want := range map[string]string{
		"2026-01-15": "2026-02-15", "2026-01-31": "2026-02-28", "2028-01-31": "2028-02-29",
		"2026-03-31": "2026-04-30", "2026-12-31": "2027-01-31", "2026-02-28": "2026-03-28",
	} {
		day, err := time.Parse(time.DateOnly, from)
		if err != nil {
			t.Fatal(err)
		}
		if got := nextMonth(day).Format(time.DateOnly); got != want {
			t.Errorf("after %s comes %s, want %s", from, got, want)
		}
	}
}

func TestWhatAnAddressLooksLike(t *testing.T) {
	t.Parallel()
	for email, good := range map[string]bool{
		"ada@example.com": true, "a.b+c-d_e@mail.example.co": true, "ADA@EXAMPLE.COM": true,
		"ada@example": false, "ada@example.c0m": false, "ada example@example.com": false, "ada@": false,
		"@example.com": false, "ada@example..com": false, "ada@example.com\nx": false, `"ada"@example.com`: false,
	} {
		if _, err := checkUserInfo(UserInfo{Email: email, Name: "Ada"}); (err == nil) != good {
			t.Errorf("%q: %v", email, err)
		}
	}
}

func TestTheWelcomeMailHasWhatThePlanHas(t *testing.T) {
	t.Parallel()
	for plan, highlights := range map[string]int{"free": 3, "pro": 4, "enterprise": 4} {
		w := welcomes[plan]
		paid := Billing{}
		if plans[plan].Price > 0 {
			paid = Billing{BillingID: "billing_1", NextBillingDate: time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC)}
		}
		body := w.body("user_1", paid)
		if strings.Count(body, "\n- ") != highlights || !strings.Contains(body, "user_1") || (w.upgrade == "") != (plan == "enterprise") {
			t.Errorf("the mail for %s is\n%s", plan, body)
		}
		if billed := strings.Contains(body, "billing_1, next on February 28, 2026"); billed != (plan != "free") {
			t.Errorf("the mail for %s is\n%s", plan, body)
		}
	}
}

func TestWhatFollowsTheWelcomeIsScheduled(t *testing.T) {
	t.Parallel()
	for plan, want := range map[string][]string{
		"free": {"standard_welcome 0s", "tips 24h0m0s"}, "pro": {"pro_welcome 0s", "feature_tour 2h0m0s", "tips 24h0m0s"},
		"enterprise": {"enterprise_welcome 0s", "onboarding 1h0m0s", "tips 24h0m0s"},
	} {
		r := resultsOf(t, reader.Report(t, registration("ada@example.com", "Ada", plan)))
		var got []string
		for _, s := range r.Welcome.Scheduled {
			got = append(got, s.Template+" "+s.At.Sub(r.Welcome.SentAt).String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("for %s there are scheduled %v, want %v", plan, got, want)
		}
	}
}
