package main

import "github.com/tasker-systems/tasker-go/tasker/money"

// Plan is what a user may sign up for. Everything that differs from plan to
// plan is in this file and in welcome.go.
type Plan struct {
	Price       money.Amount // a month, in USD
	Features    []string
	Preferences map[string]any // what a user starts with
}

var plans = map[string]Plan{
	"free": {
		Features: []string{"basic_features"},
		Preferences: map[string]any{
			"email_notifications": true, "marketing_emails": false, "product_updates": true, "weekly_digest": false,
			"theme": "light", "language": "en", "timezone": "UTC",
		},
	},
	"pro": {
		Price:    2999,
		Features: []string{"basic_features", "advanced_analytics"},
		Preferences: map[string]any{
			"email_notifications": true, "marketing_emails": true, "product_updates": true, "weekly_digest": true,
			"theme": "dark", "language": "en", "timezone": "UTC", "api_notifications": true,
		},
	},
	"enterprise": {
		Price:    29999,
		Features: []string{"basic_features", "advanced_analytics", "priority_support", "custom_integrations"},
		Preferences: map[string]any{
			"email_notifications": true, "marketing_emails": true, "product_updates": true, "weekly_digest": true,
			"theme": "dark", "language": "en", "timezone": "UTC", "api_notifications": true,
			"audit_logs": true, "advanced_reports": true,
		},
	},
}
