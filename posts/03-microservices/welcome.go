package main

import (
	"fmt"
	"strings"
)

// welcome is what a new user of a plan is told.
type welcome struct {
	subject    string
	greeting   string
	highlights []string
	upgrade    string // what the next plan has; "" for the largest
}

var welcomes = map[string]welcome{
	"free": {
		subject:  "Your account is ready",
		greeting: "Good to have you with us.",
		highlights: []string{
			"All the basics, for as long as you like",
			"A dashboard that shows how you are doing",
			"A community that answers",
		},
		upgrade: "Pro adds analytics and an API. You can move up at any time.",
	},
	"pro": {
		subject:  "Your Pro account is ready",
		greeting: "Thank you for choosing Pro.",
		highlights: []string{
			"Analytics that go deeper",
			"Support that puts you first",
			"An API for your own programs",
			"Integrations with what you use",
		},
		upgrade: "Enterprise adds an account manager and a service agreement of your own.",
	},
	"enterprise": {
		subject:  "Your Enterprise account is ready",
		greeting: "Welcome aboard, all of you.",
		highlights: []string{
			"An account manager of your own",
			"A service agreement to your needs",
			"Security that your auditors like",
			"Support around the clock",
		},
	},
}

// body is the text of the welcome mail.
func (w welcome) body(user string, billing Billing) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", w.greeting)
	for _, h := range w.highlights {
		fmt.Fprintf(&b, "- %s\n", h)
	}
	if billing.BillingID != "" {
		next := billing.NextBillingDate.Format("January 2, 2006")
		fmt.Fprintf(&b, "\nBilling: %s, next on %s\n", billing.BillingID, next)
	}
	if w.upgrade != "" {
		fmt.Fprintf(&b, "\n%s\n", w.upgrade)
	}
	fmt.Fprintf(&b, "\nYour user id is %s.\n", user)
	return b.String()
}

// enterprisePhone is where the text messages of enterprise accounts go.
const enterprisePhone = "+1-555-ENTERPRISE"

// messagesFor writes the welcome once for each channel that the user has:
// mail unless they want none, the application always, text messages for
// enterprise.
func messagesFor(a Account, billing Billing, preferences map[string]any) (messages []Message) {
	w := welcomes[a.Plan]
	add := func(channel, to, body string) {
		messages = append(messages, Message{Channel: channel, To: to, Subject: w.subject, Body: body})
	}
	if preferences["email_notifications"] != false {
		add("email", a.Email, w.body(a.UserID, billing))
	}
	add("in_app", a.UserID, w.greeting)
	if a.Plan == "enterprise" {
		add("sms", enterprisePhone, w.subject)
	}
	return messages
}
