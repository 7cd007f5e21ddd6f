package main

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// UserInfo is who wants to register.
type UserInfo struct {
	Email       string         `json:"email"`
	Name        string         `json:"name"`
	Plan        string         `json:"plan"`        // free where none is named
	Source      string         `json:"source"`      // web where none is named
	Preferences map[string]any `json:"preferences"` // beside or instead of the plan's
}

// Account is the user whom the later steps work for.
type Account struct {
	UserID    string    `json:"user_id"`
	Email     string    `json:"email"`
	Name      string    `json:"name,omitempty"` // of a new account
	Plan      string    `json:"plan"`
	Status    string    `json:"status"` // created, already_exists
	CreatedAt time.Time `json:"created_at"`
}

const (
	accountCreated = "created"
	accountExists  = "already_exists"
)

type createInput struct {
	User UserInfo `context:"user_info"`
	At   Endpoint `initialization:"."`
}

// CreateUserAccount creates the account, once: the service remembers the key,
// and answers a repeated one with the user whom it made. An address that has
// an account already is fine, if it is the same registration over again.
func (r *Registration) CreateUserAccount(ctx context.Context, in createInput) (Account, error) {
	wanted, err := checkUserInfo(in.User)
	if err != nil {
		return Account{}, err
	}
	var user User
	status := accountCreated
	err = r.Users.Post(ctx, in.At, "/users", tasker.Key(ctx), wanted, &user)
	if statusOf(err) == http.StatusConflict {
		status = accountExists
		user, err = r.sameUser(ctx, in.At, wanted)
	}
	if err != nil {
		return Account{}, err
	}
	if err := checkUser(user); err != nil {
		_, undone := r.DeactivateUserAccount(ctx, undoInput{in.At}, nil)
		return Account{}, cmp.Or(undone, err)
	}
	annotateCreate(ctx, user, status, in.User.Source)
	return accountOf(user, status), nil
}

// sameUser finds the user who has the address already, and lets them pass if
// they are active, and the one that is wanted. A deactivated account was shut
// by somebody, and a registration does not open it again. Which field differs
// is not told: it would tell a stranger what an account looks like.
func (r *Registration) sameUser(ctx context.Context, at Endpoint, wanted NewUser) (User, error) {
	var user User
	query := url.Values{"email": {wanted.Email}}
	if err := r.Users.Get(ctx, at, "/users?"+query.Encode(), &user); err != nil {
		return User{}, err
	}
	same := canonical(user.Email) == wanted.Email && user.Name == wanted.Name && user.Plan == wanted.Plan
	switch {
	case same && user.Status == userActive:
		return user, nil
	case same && user.Status == userPending:
		// It may yet be taken back, and we would welcome nobody.
		return User{}, tasker.Retryable("REGISTRATION_IN_PROGRESS", "somebody is registering it just now")
	default:
		return User{}, tasker.Permanent("USER_CONFLICT", "the address belongs to another registration")
	}
}

// snip:begin rest

// emailForm is stricter than the schema, which lets quotes and numbers for
// hosts pass.
var emailForm = regexp.MustCompile(`(?i)^[\w+\-.]+@[a-z\d\-]+(\.[a-z\d\-]+)*\.[a-z]+$`)

// checkUserInfo holds the input to its form, before anything is created.
func checkUserInfo(u UserInfo) (NewUser, error) {
	wanted := NewUser{canonical(u.Email), strings.TrimSpace(u.Name), cmp.Or(u.Plan, "free")}
	_, known := plans[wanted.Plan]
	switch {
	case wanted.Email == "":
		return wanted, tasker.Permanent("MISSING_EMAIL", "the user has no address")
	case wanted.Name == "":
		return wanted, tasker.Permanent("MISSING_NAME", "the user has no name")
	case !emailForm.MatchString(wanted.Email):
		return wanted, tasker.Permanent("INVALID_EMAIL_FORMAT", "the address is not name@domain")
	case !known:
		return wanted, unknownPlan(wanted.Plan)
	}
	return wanted, nil
}

func unknownPlan(plan string) error {
	return tasker.Permanent("UNKNOWN_PLAN", "there is no plan %q", plan)
}

func checkUser(u User) error {
	switch {
	case u.ID == "":
		return tasker.Permanent("MISSING_USER_ID_IN_RESPONSE", "the answer has no user_id")
	case u.Email == "":
		return tasker.Permanent("MISSING_EMAIL_IN_RESPONSE", "the answer has no email")
	}
	return nil
}

func accountOf(user User, status string) Account {
	a := Account{
		UserID: user.ID, Email: user.Email, Plan: user.Plan, Status: status, CreatedAt: user.CreatedAt,
	}
	if status == accountCreated {
		a.Name = user.Name
	}
	return a
}

func annotateCreate(ctx context.Context, user User, status, source string) {
	tasker.Annotate(ctx, "operation", "create_user")
	tasker.Annotate(ctx, "service", "user_service")
	tasker.Annotate(ctx, "idempotent", status == accountExists)
	tasker.Annotate(ctx, "source", cmp.Or(source, "web"))
	tasker.Annotate(ctx, "created_at", user.CreatedAt)
	tasker.Annotate(ctx, "handler_class", "CreateUserAccountHandler")
}

// check says what a later step misses of the account.
func (a Account) check() error {
	switch {
	case a == Account{}:
		return tasker.Permanent("MISSING_USER_DATA", "there is no account")
	case a.UserID == "":
		return tasker.Permanent("MISSING_USER_ID", "the account has no user_id")
	}
	return nil
}

// snip:end rest
