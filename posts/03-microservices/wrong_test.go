package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// whatCanGoWrong is the post's table of errors: for each registration what
// its step ends with. Each ends in error, with exit 1, and leaves no account.
var whatCanGoWrong = []struct {
	name       string
	input      string // "" for pro
	service    string // the fault
	step       string
	kind, code string
	attempts   int
	retryAfter int64 // ms
	noUser     bool  // nothing was created that could be deactivated
}{
	{name: "another person with that address", input: registration("existing@example.com", "Somebody Else", "free"), step: "create_user_account", kind: "permanent", code: "USER_CONFLICT", attempts: 1, noUser: true},
	{name: "the same person with another plan", input: registration("existing@example.com", "Existing User", "pro"), step: "create_user_account", kind: "permanent", code: "USER_CONFLICT", attempts: 1, noUser: true},
	{name: "no name", input: registration("ada@example.com", "", "pro"), step: "create_user_account", kind: "permanent", code: "MISSING_NAME", attempts: 1, noUser: true},
	{name: "an address that is none", input: registration("ada@[192.0.2.1]", "Ada", "pro"), step: "create_user_account", kind: "permanent", code: "INVALID_EMAIL_FORMAT", attempts: 1, noUser: true},

	{name: "the user service refuses the request", service: "user=400x1", step: "create_user_account", kind: "permanent", code: "CLIENT_VALIDATION_ERROR", attempts: 1, noUser: true},
	{name: "or what is in it", service: "user=422x1", step: "create_user_account", kind: "permanent", code: "CLIENT_VALIDATION_ERROR", attempts: 1, noUser: true},
	{name: "or who sends it", service: "user=401x1", step: "create_user_account", kind: "permanent", code: "AUTH_ERROR", attempts: 1, noUser: true},
	{name: "or what they may do", service: "user=403x1", step: "create_user_account", kind: "permanent", code: "AUTH_ERROR", attempts: 1, noUser: true},
	{name: "or does not know the path", service: "user=404x1", step: "create_user_account", kind: "permanent", code: "RESOURCE_NOT_FOUND", attempts: 1, noUser: true},
	{name: "the user service is overrun", service: "user=429x3:7s", step: "create_user_account", kind: "retryable", code: "HTTP_429", attempts: 3, retryAfter: 7000, noUser: true},
	{name: "and says not for how long", service: "user=429x3", step: "create_user_account", kind: "retryable", code: "HTTP_429", attempts: 3, retryAfter: 60_000, noUser: true},
	{name: "the user service is down", service: "user=500x3", step: "create_user_account", kind: "retryable", code: "HTTP_500", attempts: 3, noUser: true},
	{name: "or cannot be reached", service: "user=downx3", step: "create_user_account", kind: "retryable", code: "NETWORK_ERROR", attempts: 3, noUser: true},
	{name: "or says what nobody knows", service: "user=418x3", step: "create_user_account", kind: "retryable", code: "HTTP_418", attempts: 3, noUser: true},
	{name: "all its answers are lost", service: "user=lostx3", step: "create_user_account", kind: "retryable", code: "NETWORK_ERROR", attempts: 3},
	{name: "it names no id", service: "user=withoutx1:user_id", step: "create_user_account", kind: "permanent", code: "MISSING_USER_ID_IN_RESPONSE", attempts: 1},
	{name: "it names no address", service: "user=withoutx1:email", step: "create_user_account", kind: "permanent", code: "MISSING_EMAIL_IN_RESPONSE", attempts: 1},

	{name: "the billing is refused", service: "billing=400x1", step: "setup_billing_profile", kind: "permanent", code: "CLIENT_VALIDATION_ERROR", attempts: 1},
	{name: "there is no payment method", input: registration("ada@example.com", "Ada", "pro", `"billing_info": {}`), step: "setup_billing_profile", kind: "permanent", code: "PAYMENT_METHOD_REQUIRED", attempts: 1},
	{name: "the billing service stays down", service: "billing=503x3", step: "setup_billing_profile", kind: "retryable", code: "HTTP_503", attempts: 3},
	{name: "and says for how long", service: "billing=503x3:9s", step: "setup_billing_profile", kind: "retryable", code: "HTTP_503", attempts: 3, retryAfter: 9000},
	{name: "it names no profile", service: "billing=withoutx1:billing_id", step: "setup_billing_profile", kind: "permanent", code: "MISSING_PROFILE_ID_IN_RESPONSE", attempts: 1},
	{name: "it names no plan", service: "billing=withoutx1:plan", step: "setup_billing_profile", kind: "permanent", code: "MISSING_PLAN_IN_RESPONSE", attempts: 1},
	{name: "it names no price", service: "billing=withoutx1:price", step: "setup_billing_profile", kind: "permanent", code: "MISSING_PRICE_IN_RESPONSE", attempts: 1},
	{name: "it says that there is a profile, and has none", service: "billing=409x1", step: "setup_billing_profile", kind: "permanent", code: "RESOURCE_NOT_FOUND", attempts: 1},

	{name: "the preferences are refused", service: "preferences=422x1", step: "initialize_preferences", kind: "permanent", code: "CLIENT_VALIDATION_ERROR", attempts: 1},
	{name: "their service names no id", service: "preferences=withoutx1:preferences_id", step: "initialize_preferences", kind: "permanent", code: "MISSING_PREFERENCES_ID", attempts: 1},
	{name: "it names no preferences", service: "preferences=withoutx1:preferences", step: "initialize_preferences", kind: "permanent", code: "MISSING_PREFERENCES_DATA", attempts: 1},

	{name: "the notifications are overrun", service: "notification=429x5", step: "send_welcome_sequence", kind: "retryable", code: "HTTP_429", attempts: 5, retryAfter: 30_000},
	{name: "and say for how long", service: "notification=429x5:8s", step: "send_welcome_sequence", kind: "retryable", code: "HTTP_429", attempts: 5, retryAfter: 8000},
	{name: "the notification service may not be used", service: "notification=403x1", step: "send_welcome_sequence", kind: "permanent", code: "AUTH_ERROR", attempts: 1},
	{name: "it names no sequence", service: "notification=withoutx1:welcome_sequence_id", step: "send_welcome_sequence", kind: "permanent", code: "MISSING_SEQUENCE_ID_IN_RESPONSE", attempts: 1},

	{name: "the activation names no status", service: "user=withoutx2:status", step: "update_user_status", kind: "permanent", code: "MISSING_STATUS_IN_RESPONSE", attempts: 1},
}

func TestWhatCanGoWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range whatCanGoWrong {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			input, args := tt.input, []string{"-env", "test"}
			if input == "" {
				input = pro("Ada Example")
			}
			if tt.service != "" {
				args = append(args, "-service", tt.service)
			}
			o := reader.Report(t, input, args...)
			if o.Exit != 1 || len(o.Tasks) != 1 || o.Tasks[0].State != "error" {
				t.Fatalf("exit %d, rejected %+v\n%s%s", o.Exit, o.Rejected, o.Stdout, o.Stderr)
			}
			s := o.Step(tt.step)
			switch {
			case s.Error == nil:
				t.Fatalf("%s has no error", tt.step)
			case s.Error.Kind != tt.kind || s.Error.Code != tt.code || s.Error.RetryAfterMS != tt.retryAfter:
				t.Errorf("%s ends by %s %s, retry after %d ms, want %s %s, %d ms", tt.step, s.Error.Kind, s.Error.Code, s.Error.RetryAfterMS, tt.kind, tt.code, tt.retryAfter)
			}
			if s.Attempts != tt.attempts {
				t.Errorf("%s took %d attempts, want %d", tt.step, s.Attempts, tt.attempts)
			}
			if strings.Contains(s.Error.Message, "example.com") {
				t.Errorf("the error tells the address: %s", s.Error.Message)
			}
			if n := o.Notes; n.Active != 0 || n.Profiles != 0 || (n.Users == 0) != tt.noUser || n.Deactivated != n.Users {
				t.Errorf("what is left behind: %+v", n)
			}
			if o.Took > 3*time.Second {
				t.Errorf("it took %v", o.Took)
			}
			noneAfter(t, o, tt.step)
		})
	}
}

// noneAfter checks that no step ran that depends on one that failed.
func noneAfter(t *testing.T, o outcome, failed string) {
	t.Helper()
	late := map[string]bool{failed: true}
	for _, s := range o.Tasks[0].Steps {
		for _, d := range s.DependsOn {
			late[s.Name] = late[s.Name] || late[d]
		}
		if s.Name != failed && late[s.Name] && s.Attempts > 0 {
			t.Errorf("%s ran after %s had failed", s.Name, failed)
		}
	}
}

func TestInputThatIsRejectedNeverBecomesATask(t *testing.T) {
	t.Parallel()
	good := pro("Ada")
	tests := []struct{ name, input, path string }{
		{"no user", `{}`, "/user_info"},
		{"no address", strings.Replace(good, `"email"`, `"mail"`, 1), "/user_info/email"},
		{"an empty address", registration("", "Ada", "pro"), "/user_info/email"},
		{"a bad address", registration("nobody", "Ada", "pro"), "/user_info/email"},
		{"no name", strings.Replace(good, `"name"`, `"names"`, 1), "/user_info/name"},
		{"an unknown plan", registration("ada@example.com", "Ada", "gold"), "/user_info/plan"},
		{"a list of preferences", registration("ada@example.com", "Ada", "pro", `user:"preferences": []`), "/user_info/preferences"},
		{"a number for a correlation id", registration("ada@example.com", "Ada", "pro", `"correlation_id": 1`), "/correlation_id"},
		{"a correlation id that no header can carry", registration("ada@example.com", "Ada", "pro", `"correlation_id": "reg_1\nX-Admin: yes"`), "/correlation_id"},
		{"one that would arrive as another", registration("ada@example.com", "Ada", "pro", `"correlation_id": " reg_1"`), "/correlation_id"},
		{"one that is too long for a task", registration("ada@example.com", "Ada", "pro", `"correlation_id": "`+strings.Repeat("x", 256)+`"`), "/correlation_id"},
		{"no JSON", `{"user_info": `, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := reader.Report(t, tt.input)
			if o.Exit != 2 || len(o.Tasks) != 0 || o.Rejected == nil || o.Rejected.Code != "INVALID_INPUT" || o.Stderr == "" {
				t.Fatalf("exit %d, %d tasks, rejected %+v\n%s", o.Exit, len(o.Tasks), o.Rejected, o.Stderr)
			}
			if len(o.Rejected.Errors) != 1 || o.Rejected.Errors[0].Path != tt.path {
				t.Errorf("the violations are %+v, want one at %q", o.Rejected.Errors, tt.path)
			}
		})
	}
}

func TestWrongUsageIsOneLineAndExitTwo(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"-service", "billing"}, {"-service", "billing=503x0"}, {"-service", "billing=503x"}, {"-service", "billing=99"},
		{"-service", "billing=600"}, {"-service", "billing=100"}, {"-service", "mail=503"}, {"-service", "billing=sleepy"},
		{"-service", "billing=429:soon"}, {"-service", "billing=429:300ms"}, {"-service", "billing=downx1:2s"}, {"-service", "billing=lost:2s"},
		{"-service", "billing=slow"}, {"-service", "billing=slow:-1s"}, {"-service", "billing=without"}, {"-service", ""},
		{"-service", "billing=503x99999999999999999999"},
		{"-breaker", "on"}, {"-breaker", "5"}, {"-breaker", "0/5s"}, {"-breaker", "5/0s"}, {"-breaker", "5/soon"}, {"-breaker", "-1/5s"},
		{"-log", ""}, {"-log", "/no/such/folder/log"}, {"-fail", "nobody=1"}, {"-task", "microservices/nothing"}, {"-env", "tset"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			o := reader.Run(t, "", args...)
			if o.Exit != 2 || o.Stdout != "" || strings.Count(o.Stderr, "\n") != 1 || !strings.HasPrefix(o.Stderr, "03-microservices: ") {
				t.Errorf("exit %d, stdout %q, stderr %q", o.Exit, o.Stdout, o.Stderr)
			}
		})
	}
}

func TestFaultsThatAreUnderstood(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"user=503", "billing=503x2", "billing=503x2:5s", "notification=429x1:1s", "notification=429:2m", "preferences=down",
		"preferences=downx3", "user=lost", "user=lostx1", "billing=slow:300ms", "billing=slowx2:2s", "user=withoutx1:user_id", "billing=200x1",
	} {
		if err := checkFault(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestHelpGoesToStandardOutputAndNamesTheFlagsOfThePost(t *testing.T) {
	t.Parallel()
	o := reader.Run(t, "", "-h")
	for _, want := range []string{"-service NAME=FAULT", "-breaker", "-log FILE", "lostxN", "withoutxN:FIELD"} {
		if o.Exit != 0 || o.Stderr != "" || !strings.Contains(o.Stdout, want) {
			t.Errorf("exit %d, stderr %q; the help does not say %q", o.Exit, o.Stderr, want)
		}
	}
}

func TestFaultsComeOneAfterAnother(t *testing.T) {
	t.Parallel()
	s := scriptFor("billing", []string{"billing=503x2", "user=down", "billing=lostx1"})
	var kinds []string
	for range 4 {
		kinds = append(kinds, s.next().kind)
	}
	if want := []string{"status", "status", "lost", ""}; !slices.Equal(kinds, want) {
		t.Errorf("they are %q, want %q", kinds, want)
	}
}
