package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/post"
)

// UserService knows who has an account. An account begins as pending, and is
// activated when everything that belongs to it is there.
type UserService struct{ users *post.Kept[Users] }

// Users is what the service remembers.
type Users struct {
	ByID     map[string]*User
	ByKey    map[string]string // the id of the user that a key made
	Closed   map[string]bool   // keys that make no user any more
	Requests int               // to make one, answered or not
}

// User is an account.
type User struct {
	ID        string    `json:"user_id"`
	Email     string    `json:"email"`
	Name      string    `json:"name"`
	Plan      string    `json:"plan"`
	Status    string    `json:"status"` // pending, active, deactivated
	CreatedAt time.Time `json:"created_at"`
}

// NewUser asks for an account.
type NewUser struct {
	Email string `json:"email"`
	Name  string `json:"name"`
	Plan  string `json:"plan"`
}

// UserStatus is how an account stands.
type UserStatus struct {
	UserID    string    `json:"user_id,omitempty"` // none where a key made no user
	Status    string    `json:"status"`
	UpdatedAt time.Time `json:"updated_at"`
}

const (
	userPending     = "pending"
	userActive      = "active"
	userDeactivated = "deactivated"
)

// existingUser has been here since before the story.
var existingUser = User{
	ID: "user_existing_001", Email: "existing@example.com", Name: "Existing User", Plan: "free",
	Status: userActive, CreatedAt: time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC),
}

func newUserService(w *post.World) *UserService {
	return &UserService{post.Keep(w, "users", func() Users {
		existing := existingUser
		return Users{
			ByID:  map[string]*User{existing.ID: &existing},
			ByKey: map[string]string{}, Closed: map[string]bool{},
		}
	})}
}

func (s *UserService) routes(to *service) {
	to.handle("POST /users", s.create)
	to.handle("GET /users", s.find)
	to.handle("PUT /users/{id}/status", s.setStatus)
	to.handle("POST /users/deactivations", s.deactivate)
}

// create makes a user, once for each key.
func (s *UserService) create(c *call) (any, error) {
	var wanted NewUser
	if err := c.read(&wanted); err != nil {
		return nil, err
	}
	var user User
	return &user, do(c, s.users, func(all *Users) error {
		all.Requests++
		id, known := all.ByKey[c.key]
		switch {
		case all.Closed[c.key]:
			return refuse(http.StatusUnprocessableEntity, "this registration was taken back")
		case known:
			user = *all.ByID[id]
		case wanted.Email == "" || wanted.Name == "" || plans[wanted.Plan].Features == nil:
			return refuse(http.StatusUnprocessableEntity, "a user has an address, a name and a plan")
		case all.withEmail(wanted.Email) != nil:
			return refuse(http.StatusConflict, "the address is taken")
		default:
			user = all.add(c.key, wanted)
		}
		return nil
	})
}

// add makes a user whose id follows from the key.
func (u *Users) add(key string, wanted NewUser) User {
	user := User{
		ID: post.DeriveID("user_", 12, key), Email: wanted.Email, Name: wanted.Name, Plan: wanted.Plan,
		Status: userPending, CreatedAt: time.Now().UTC(),
	}
	kept := user
	u.ByID[user.ID], u.ByKey[key] = &kept, user.ID
	return user
}

// find looks for the user with an address.
func (s *UserService) find(c *call) (any, error) {
	var user User
	return &user, do(c, s.users, func(all *Users) error {
		found := all.withEmail(c.URL.Query().Get("email"))
		if found == nil {
			return refuse(http.StatusNotFound, "nobody has that address")
		}
		user = *found
		return nil
	})
}

// setStatus activates an account.
func (s *UserService) setStatus(c *call) (any, error) {
	var wanted UserStatus
	if err := c.read(&wanted); err != nil {
		return nil, err
	}
	return &wanted, do(c, s.users, func(all *Users) error {
		user := all.ByID[c.PathValue("id")]
		switch {
		case user == nil || user.Status == userDeactivated:
			return refuse(http.StatusNotFound, "there is no such user")
		case wanted.Status != userActive:
			return refuse(http.StatusUnprocessableEntity, "an account can be made %s", userActive)
		}
		user.Status = wanted.Status
		wanted = UserStatus{user.ID, user.Status, time.Now().UTC()}
		return nil
	})
}

// deactivate takes back the account that a key made, if it made one, and
// closes the key: a request that is still on its way makes no account.
func (s *UserService) deactivate(c *call) (any, error) {
	answer := UserStatus{Status: userDeactivated, UpdatedAt: time.Now().UTC()}
	return &answer, do(c, s.users, func(all *Users) error {
		all.Closed[c.key] = true
		if user := all.ByID[all.ByKey[c.key]]; user != nil {
			user.Status, answer.UserID = userDeactivated, user.ID
		}
		return nil
	})
}

// withEmail finds who has an address now. A deactivated account leaves its
// address to others.
func (u *Users) withEmail(email string) *User {
	for _, user := range u.ByID {
		if user.Status != userDeactivated && canonical(user.Email) == canonical(email) {
			return user
		}
	}
	return nil
}

// canonical is the form in which addresses are compared: the same mailbox
// should not have two accounts because of a capital letter.
func canonical(email string) string { return strings.ToLower(strings.TrimSpace(email)) }
