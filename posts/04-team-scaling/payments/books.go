package payments

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/sim"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Books is the simulated record system of payments. Everything in it is found
// by the id of a refund, so that no refund stands in it twice.
type Books struct{ pages *post.Kept[Pages] }

// Pages is what the books remember, by refund_id.
type Pages struct {
	Records     map[string]Record
	ToReconcile map[string]Refund // the money has moved, and a person must look at it
}

// Record is a refund in the books.
type Record struct {
	ID, PaymentID, RefundID string
	PaymentStatus           string
	RefundStatus            string
	History                 []string
	At                      time.Time
}

const recordService = "MockPaymentRecordSystem"

var recordHooks = sim.Hooks{
	{Part: "pay_test_record_lock", Status: "locked"},
	{Part: "pay_test_record_error", Status: "error"},
	{Part: "pay_test_record_unknown", Status: "gremlins"},
	{Part: "pay_test_not_found", Status: "not_found"},
}

func newBooks(w *post.World) *Books {
	return &Books{post.Keep(w, "payments.books", func() Pages {
		return Pages{Records: map[string]Record{}, ToReconcile: map[string]Refund{}}
	})}
}

// Write records a refund, or finds its record. What was to be reconciled is
// reconciled by that.
func (b *Books) Write(ctx context.Context, paymentID, refundID string) (record Record, err error) {
	if err := recordHooks.Strike("the record system", paymentID); err != nil {
		return Record{}, err
	}
	err = b.pages.Do(ctx, func(p *Pages) error {
		written, ok := p.Records[refundID]
		if !ok {
			written = Record{
				ID: post.DeriveID("rec_", 16, refundID), PaymentID: paymentID, RefundID: refundID,
				PaymentStatus: "refunded", RefundStatus: "completed",
				History: []string{"refund_initiated", "refund_completed"}, At: time.Now().UTC(),
			}
			p.Records[refundID] = written
		}
		delete(p.ToReconcile, refundID)
		record = written
		return nil
	})
	return record, err
}

// Reconcile puts a refund on the list of those that a person must look at,
// unless its record is there: then only the customer was not told.
func (b *Books) Reconcile(ctx context.Context, refund Refund) error {
	return b.pages.Do(ctx, func(p *Pages) error {
		if _, recorded := p.Records[refund.ID]; !recorded {
			p.ToReconcile[refund.ID] = refund
		}
		return nil
	})
}
