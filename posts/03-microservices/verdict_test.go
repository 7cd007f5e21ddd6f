package main

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

func TestWhatEachAnswerMeans(t *testing.T) {
	t.Parallel()
	const usual, welcome = 60 * time.Second, 30 * time.Second
	tests := []struct {
		status     int
		header     string // Retry-After
		wait       time.Duration
		kind       tasker.ErrorKind // "" for success
		code       string
		retryAfter time.Duration
	}{
		{status: 200}, {status: 201}, {status: 202}, {status: 204},
		{status: 400, kind: tasker.KindPermanent, code: "CLIENT_VALIDATION_ERROR"},
		{status: 422, kind: tasker.KindPermanent, code: "CLIENT_VALIDATION_ERROR"},
		{status: 401, kind: tasker.KindPermanent, code: "AUTH_ERROR"},
		{status: 403, kind: tasker.KindPermanent, code: "AUTH_ERROR"},
		{status: 404, kind: tasker.KindPermanent, code: "RESOURCE_NOT_FOUND"},
		{status: 409, kind: tasker.KindPermanent, code: "HTTP_409"},
		{status: 429, wait: usual, kind: tasker.KindRetryable, code: "HTTP_429", retryAfter: usual},
		{status: 429, wait: welcome, kind: tasker.KindRetryable, code: "HTTP_429", retryAfter: welcome},
		{status: 429, wait: usual, header: "7", kind: tasker.KindRetryable, code: "HTTP_429", retryAfter: 7 * time.Second},
		{status: 429, wait: usual, header: "0", kind: tasker.KindRetryable, code: "HTTP_429"},
		{status: 429, wait: usual, header: "soon", kind: tasker.KindRetryable, code: "HTTP_429", retryAfter: usual},
		{status: 500, kind: tasker.KindRetryable, code: "HTTP_500"},
		{status: 501, kind: tasker.KindRetryable, code: "HTTP_501"},
		{status: 502, kind: tasker.KindRetryable, code: "HTTP_502"},
		{status: 503, kind: tasker.KindRetryable, code: "HTTP_503"},
		{status: 503, header: "5", kind: tasker.KindRetryable, code: "HTTP_503", retryAfter: 5 * time.Second},
		{status: 504, kind: tasker.KindRetryable, code: "HTTP_504"},
		{status: 302, kind: tasker.KindRetryable, code: "HTTP_302"},
		{status: 402, kind: tasker.KindRetryable, code: "HTTP_402"},
		{status: 408, kind: tasker.KindRetryable, code: "HTTP_408"},
		{status: 410, kind: tasker.KindRetryable, code: "HTTP_410"},
		{status: 418, kind: tasker.KindRetryable, code: "HTTP_418"},
	}
	for _, tt := range tests {
		response := &http.Response{StatusCode: tt.status, Header: http.Header{}}
		if tt.header != "" {
			response.Header.Set("Retry-After", tt.header)
		}
		err := verdictOf(response, tt.wait)
		if tt.kind == "" {
			if err != nil {
				t.Errorf("%d: %v", tt.status, err)
			}
			continue
		}
		var v *tasker.Error
		if !errors.As(err, &v) || v.Kind != tt.kind || v.Code != tt.code || v.RetryAfter != tt.retryAfter || statusOf(err) != tt.status {
			t.Errorf("%d with %q: %+v", tt.status, tt.header, v)
		}
	}
}

func TestOnlyTheServicesOwnFailuresOpenItsBreaker(t *testing.T) {
	t.Parallel()
	for status, outage := range map[int]bool{400: false, 401: false, 404: false, 409: false, 429: false, 500: true, 503: true, 504: true} {
		if err := verdictOf(&http.Response{StatusCode: status}, time.Minute); isOutage(err) != outage {
			t.Errorf("%d: outage %t", status, !outage)
		}
	}
	if isOutage(nil) || isOutage(context.Canceled) {
		t.Error("a success, or a call that we gave up, is no outage")
	}
	if !gaveUp(context.Canceled) || gaveUp(nil) || gaveUp(tasker.Retryable("HTTP_503", "down")) {
		t.Error("only a call that we broke off is left out of the count")
	}
}

// verdictIs checks an error's kind and code.
func verdictIs(t *testing.T, err error, kind tasker.ErrorKind, code string) {
	t.Helper()
	var v *tasker.Error
	if !errors.As(err, &v) || v.Kind != kind || v.Code != code {
		t.Errorf("the verdict is %v, want a %s %s", err, kind, code)
	}
}

func TestAHandlerSaysWhichOfItsInputsIsMissing(t *testing.T) {
	t.Parallel()
	r, _ := open(t)
	account := Account{UserID: "user_1", Email: "ada@example.com", Plan: "pro"}
	billing, preferences := Billing{Status: "active"}, Preferences{Preferences: map[string]any{}}
	nobody, stranger := Account{Email: "ada@example.com"}, Account{UserID: "user_1", Plan: "gold"}
	create := func(u UserInfo) func(context.Context) error {
		return func(ctx context.Context) error { _, err := r.CreateUserAccount(ctx, createInput{User: u}); return err }
	}
	bill := func(in billingInput) func(context.Context) error {
		return func(ctx context.Context) error { _, err := r.SetupBillingProfile(ctx, in); return err }
	}
	prefer := func(in preferencesInput) func(context.Context) error {
		return func(ctx context.Context) error { _, err := r.InitializePreferences(ctx, in); return err }
	}
	greet := func(in welcomeInput) func(context.Context) error {
		return func(ctx context.Context) error { _, err := r.SendWelcomeSequence(ctx, in); return err }
	}
	tests := []struct {
		code string
		call func(context.Context) error
	}{
		{"MISSING_EMAIL", create(UserInfo{})},
		{"MISSING_EMAIL", create(UserInfo{Name: "Ada"})},
		{"MISSING_NAME", create(UserInfo{Email: "nobody"})},
		{"MISSING_NAME", create(UserInfo{Email: "ada@example.com", Name: "  "})},
		{"INVALID_EMAIL_FORMAT", create(UserInfo{Email: "nobody", Name: "Ada"})},
		{"UNKNOWN_PLAN", create(UserInfo{Email: "ada@example.com", Name: "Ada", Plan: "gold"})},
		{"MISSING_USER_DATA", bill(billingInput{})},
		{"MISSING_USER_ID", bill(billingInput{Account: nobody})},
		{"UNKNOWN_PLAN", bill(billingInput{Account: stranger})},
		{"MISSING_USER_DATA", prefer(preferencesInput{})},
		{"MISSING_USER_ID", prefer(preferencesInput{Account: nobody})},
		{"UNKNOWN_PLAN", prefer(preferencesInput{Account: stranger})},
		{"MISSING_USER_DATA", greet(welcomeInput{Billing: billing, Preferences: preferences})},
		{"MISSING_BILLING_DATA", greet(welcomeInput{Account: account, Preferences: preferences})},
		{"MISSING_PREFERENCES_DATA", greet(welcomeInput{Account: account, Billing: billing})},
	}
	for _, tt := range tests {
		verdictIs(t, tt.call(stepContext(t, 1, "step")), tasker.KindPermanent, tt.code)
	}
}

func TestTheActivationNamesAllThatIsMissing(t *testing.T) {
	t.Parallel()
	r, _ := open(t)
	_, err := r.UpdateUserStatus(stepContext(t, 1, "update_user_status"), activateInput{Account: Account{UserID: "user_1"}})
	verdictIs(t, err, tasker.KindPermanent, "INCOMPLETE_WORKFLOW")
	want := "INCOMPLETE_WORKFLOW: these steps left no result: setup_billing_profile, initialize_preferences, send_welcome_sequence"
	if err == nil || err.Error() != want {
		t.Errorf("it says %v", err)
	}
}

func TestAUserWhomNobodyKnowsIsNotActivated(t *testing.T) {
	t.Parallel()
	r, _ := open(t)
	in := activateInput{
		Account: Account{UserID: "user_1"}, Billing: Billing{Status: "active"}, Preferences: Preferences{Preferences: map[string]any{}},
		Welcome: Welcome{SequenceID: "welcome_1"}, At: endpoint("user"),
	}
	_, err := r.UpdateUserStatus(stepContext(t, 1, "update_user_status"), in)
	verdictIs(t, err, tasker.KindPermanent, "USER_NOT_FOUND")
}
