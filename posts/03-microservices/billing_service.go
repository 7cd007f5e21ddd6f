package main

import (
	"net/http"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/money"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// BillingService knows who pays what.
type BillingService struct{ profiles *post.Kept[Profiles] }

// Profiles is what the service remembers.
type Profiles struct {
	ByKey    map[string]*Profile
	Closed   map[string]bool // keys that make no profile any more
	Requests int             // to make one, answered or not
}

// Profile says what a user pays.
type Profile struct {
	ID              string       `json:"billing_id"`
	UserID          string       `json:"user_id"`
	Plan            string       `json:"plan"`
	Price           money.Amount `json:"price"`
	Currency        string       `json:"currency"`
	BillingCycle    string       `json:"billing_cycle"`
	Features        []string     `json:"features"`
	Status          string       `json:"status"` // active, cancelled
	NextBillingDate time.Time    `json:"next_billing_date"`
	CreatedAt       time.Time    `json:"created_at"`
}

// NewProfile asks for a profile.
type NewProfile struct {
	UserID  string       `json:"user_id"`
	Plan    string       `json:"plan"`
	Billing *BillingInfo `json:"billing_info,omitempty"` // without it, the first bill asks for it
}

// BillingInfo is how a user pays.
type BillingInfo struct {
	PaymentMethod string `json:"payment_method,omitempty"`
}

const (
	billingActive    = "active"
	billingCancelled = "cancelled"
)

func newBillingService(w *post.World) *BillingService {
	return &BillingService{post.Keep(w, "billing", func() Profiles {
		return Profiles{ByKey: map[string]*Profile{}, Closed: map[string]bool{}}
	})}
}

func (s *BillingService) routes(to *service) {
	to.handle("POST /profiles", s.create)
	to.handle("GET /profiles/{user}", s.find)
	to.handle("POST /profiles/cancellations", s.cancel)
}

// create makes a profile, once for each key.
func (s *BillingService) create(c *call) (any, error) {
	var wanted NewProfile
	if err := c.read(&wanted); err != nil {
		return nil, err
	}
	var profile Profile
	return &profile, do(c, s.profiles, func(all *Profiles) error {
		all.Requests++
		known := all.ByKey[c.key]
		switch {
		case all.Closed[c.key]:
			return refuse(http.StatusUnprocessableEntity, "this registration was taken back")
		case known != nil:
			profile = *known
		case wanted.UserID == "" || plans[wanted.Plan].Price == 0:
			return refuse(http.StatusUnprocessableEntity, "a profile has a user and a plan with a price")
		case wanted.Billing != nil && wanted.Billing.PaymentMethod == "":
			return refuse(http.StatusPaymentRequired, "there is no payment method")
		case all.of(wanted.UserID) != nil:
			return refuse(http.StatusConflict, "the user has a profile")
		default:
			profile = all.add(c.key, wanted)
		}
		return nil
	})
}

// add makes a profile whose id follows from the key.
func (p *Profiles) add(key string, wanted NewProfile) Profile {
	now, plan := time.Now().UTC(), plans[wanted.Plan]
	profile := Profile{
		ID: post.DeriveID("billing_", 12, key), UserID: wanted.UserID, Plan: wanted.Plan,
		Price: plan.Price, Currency: "USD", BillingCycle: "monthly", Features: plan.Features,
		Status: billingActive, NextBillingDate: nextMonth(now), CreatedAt: now,
	}
	kept := profile
	p.ByKey[key] = &kept
	return profile
}

// find gives the profile of a user.
func (s *BillingService) find(c *call) (any, error) {
	var profile Profile
	return &profile, do(c, s.profiles, func(all *Profiles) error {
		found := all.of(c.PathValue("user"))
		if found == nil {
			return refuse(http.StatusNotFound, "the user has no profile")
		}
		profile = *found
		return nil
	})
}

// cancel takes back the profile that a key made, if it made one, and closes
// the key.
func (s *BillingService) cancel(c *call) (any, error) {
	answer := Cancellation{Status: billingCancelled}
	return &answer, do(c, s.profiles, func(all *Profiles) error {
		all.Closed[c.key] = true
		if profile := all.ByKey[c.key]; profile != nil {
			profile.Status, answer.BillingID = billingCancelled, profile.ID
		}
		return nil
	})
}

func (p *Profiles) of(user string) *Profile {
	for _, profile := range p.ByKey {
		if profile.UserID == user && profile.Status == billingActive {
			return profile
		}
	}
	return nil
}

// nextMonth is the same day of the next month, or its last day where it has
// no such day: after January 31 comes February 28.
func nextMonth(t time.Time) time.Time {
	next := t.AddDate(0, 1, 0)
	if next.Day() != t.Day() {
		next = next.AddDate(0, 0, -next.Day())
	}
	return next
}
