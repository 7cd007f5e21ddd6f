package main

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/tasker-systems/tasker-go/tasker"
)

func TestTheSecondRegistrationOfAnActiveUserSendsNoSecondWelcome(t *testing.T) {
	t.Parallel()
	r, world := open(t)
	first, again := register(t, r, 1), register(t, r, 2)
	if first.Account.Status != "created" || first.Welcome.Status != "sent" {
		t.Errorf("the first registration: %+v", first)
	}
	if again.Account.Status != "already_exists" || again.Account.UserID != first.Account.UserID {
		t.Errorf("the second one is of %+v, want %s", again.Account, first.Account.UserID)
	}
	if again.Billing.BillingID != "existing_profile_"+first.Account.UserID || again.Preferences.PreferencesID != "existing_prefs_"+first.Account.UserID {
		t.Errorf("the second one bills %q and saves %q", again.Billing.BillingID, again.Preferences.PreferencesID)
	}
	if again.Welcome.Status != "already_sent" || again.Welcome.SequenceID != first.Welcome.SequenceID {
		t.Errorf("the second welcome is %+v", again.Welcome)
	}
	if f := figuresOf(world, root); f.users != 1 || f.profiles != 1 || f.saved != 1 || f.messages != 2 {
		t.Errorf("two registrations of one user leave %+v", f)
	}
}

// register takes a task through the handlers, as the engine would.
func register(t *testing.T, r *Registration, task byte) (done results) {
	t.Helper()
	user := UserInfo{Email: "Ada@example.com", Name: "Ada", Plan: "pro"}
	var err error
	step := func(f func()) {
		t.Helper()
		if f(); err != nil {
			t.Fatal(err)
		}
	}
	step(func() {
		done.Account, err = r.CreateUserAccount(stepContext(t, task, "create_user_account"), createInput{user, endpoint("user")})
	})
	step(func() {
		done.Billing, err = r.SetupBillingProfile(stepContext(t, task, "setup_billing_profile"), billingInput{Account: done.Account, At: endpoint("billing")})
	})
	step(func() {
		done.Preferences, err = r.InitializePreferences(stepContext(t, task, "initialize_preferences"), preferencesInput{done.Account, user, endpoint("preferences")})
	})
	step(func() {
		done.Welcome, err = r.SendWelcomeSequence(stepContext(t, task, "send_welcome_sequence"), welcomeInput{done.Account, done.Billing, done.Preferences, endpoint("notification")})
	})
	step(func() {
		done.Activation, err = r.UpdateUserStatus(stepContext(t, task, "update_user_status"), activateInput{done.Account, done.Billing, done.Preferences, done.Welcome, endpoint("user")})
	})
	return done
}

func TestAnAddressThatIsJustBeingRegisteredIsWaitedFor(t *testing.T) {
	t.Parallel()
	r, _ := open(t)
	in := createInput{UserInfo{Email: "ada@example.com", Name: "Ada", Plan: "pro"}, endpoint("user")}
	if _, err := r.CreateUserAccount(stepContext(t, 1, "create_user_account"), in); err != nil {
		t.Fatal(err)
	}
	_, err := r.CreateUserAccount(stepContext(t, 2, "create_user_account"), in)
	verdictIs(t, err, tasker.KindRetryable, "REGISTRATION_IN_PROGRESS")
	if _, err := r.DeactivateUserAccount(stepContext(t, 1, "create_user_account"), undoInput{in.At}, nil); err != nil {
		t.Fatal(err)
	}
	if account, err := r.CreateUserAccount(stepContext(t, 2, "create_user_account"), in); err != nil || account.Status != "created" {
		t.Errorf("the address of a deactivated account is not free: %+v, %v", account, err)
	}
}

// The user service of this post leaves the address of a deactivated account
// to others. Here is one that keeps it.
func TestAnAccountThatWasShutIsNotOpenedByRegisteringAgain(t *testing.T) {
	t.Parallel()
	user := UserInfo{Email: "ada@example.com", Name: "Ada", Plan: "pro"}
	for status, code := range map[string]string{"deactivated": "USER_CONFLICT", "": "USER_CONFLICT", "pending": "REGISTRATION_IN_PROGRESS", "active": ""} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				answerRefusal(w, refuse(http.StatusConflict, "the address is taken"))
				return
			}
			answerJSON(w, http.StatusOK, User{ID: "user_1", Email: user.Email, Name: user.Name, Plan: user.Plan, Status: status})
		}))
		defer server.Close()
		r, _ := open(t)
		account, err := r.CreateUserAccount(stepContext(t, 1, "create_user_account"), createInput{user, Endpoint{server.URL, 5000}})
		switch {
		case code != "":
			if codeOf(err) != code {
				t.Errorf("an account that is %q: %+v, %v, want %s", status, account, err, code)
			}
		case err != nil || account.Status != "already_exists":
			t.Errorf("an account that is %q: %+v, %v", status, account, err)
		}
	}
}
