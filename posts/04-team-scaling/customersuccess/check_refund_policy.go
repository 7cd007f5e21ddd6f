package customersuccess

import (
	"context"
	"strconv"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/money"
)

// PolicyCheck is what the policy says of a request that keeps it.
type PolicyCheck struct {
	Checked           bool        `json:"policy_checked"`
	Compliant         bool        `json:"policy_compliant"`
	CustomerTier      string      `json:"customer_tier"`
	WindowDays        int         `json:"refund_window_days"`
	DaysSincePurchase int         `json:"days_since_purchase"`
	WithinWindow      bool        `json:"within_refund_window"`
	RequiresApproval  bool        `json:"requires_approval"`
	MaxAllowed        money.Cents `json:"max_allowed_amount"`
	CheckedAt         time.Time   `json:"policy_checked_at"`
	Namespace         string      `json:"namespace"`
}

// Policy is what a tier of customers may have back.
type Policy struct {
	WindowDays       int
	RequiresApproval bool
	Max              money.Cents
}

// snip:begin rest

var policies = map[string]Policy{
	"standard": {WindowDays: 30, RequiresApproval: true, Max: 100_00},
	"gold":     {WindowDays: 60, RequiresApproval: false, Max: 500_00},
	"premium":  {WindowDays: 90, RequiresApproval: false, Max: 1000_00},
}

type policyInput struct {
	Amount  money.Cents  `context:"refund_amount"`
	Request ValidRequest `result:"validate_refund_request"`
}

// CheckRefundPolicy holds the request to the policy of the customer's tier.
// The policy alone says whether a manager must approve: whoever asks for the
// money does not decide who looks at it.
func (d *Desk) CheckRefundPolicy(ctx context.Context, in policyInput) (PolicyCheck, error) {
	if !in.Request.Validated {
		return PolicyCheck{}, tasker.Permanent("MISSING_VALIDATION", "the request was not validated")
	}
	policy, ok := policies[in.Request.CustomerTier]
	if !ok {
		policy = policies["standard"]
	}
	now := d.Now().UTC()
	days := int(now.Sub(in.Request.PurchasedAt) / (24 * time.Hour)) // whole days
	if err := policy.check(days, in.Amount); err != nil {
		return PolicyCheck{}, err
	}
	tasker.Annotate(ctx, "operation", "check_refund_policy")
	tasker.Annotate(ctx, "execution_hints", policyHints{in.Request.CustomerTier, days, policy.RequiresApproval})
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Policy-Engine":     "RefundPolicyService",
		"X-Customer-Tier":     in.Request.CustomerTier,
		"X-Requires-Approval": strconv.FormatBool(policy.RequiresApproval),
	})
	return PolicyCheck{
		Checked: true, Compliant: true, CustomerTier: in.Request.CustomerTier,
		WindowDays: policy.WindowDays, DaysSincePurchase: days, WithinWindow: true,
		RequiresApproval: policy.RequiresApproval, MaxAllowed: policy.Max,
		CheckedAt: now, Namespace: Namespace,
	}, nil
}

// check looks at the window first, then at the amount. Both edges are inside.
func (p Policy) check(days int, amount money.Cents) error {
	switch {
	case days > p.WindowDays:
		return tasker.Permanent("OUTSIDE_REFUND_WINDOW",
			"it was bought %d days ago, and %d are allowed", days, p.WindowDays).
			With("days_since_purchase", days).With("refund_window_days", p.WindowDays)
	case amount > p.Max:
		return tasker.Permanent("EXCEEDS_AMOUNT_LIMIT",
			"%s is more than %s, which are allowed", amount, p.Max).
			With("refund_amount", amount).With("max_allowed_amount", p.Max)
	}
	return nil
}

// snip:end rest

type policyHints struct {
	CustomerTier      string `json:"customer_tier"`
	DaysSincePurchase int    `json:"days_since_purchase"`
	RequiresApproval  bool   `json:"requires_approval"`
}
