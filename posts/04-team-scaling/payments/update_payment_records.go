package payments

import (
	"context"
	"time"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/sim"
	"github.com/tasker-systems/tasker-go/tasker"
)

// RecordsUpdate is a refund that stands in the books.
type RecordsUpdate struct {
	Updated       bool      `json:"records_updated"`
	PaymentID     string    `json:"payment_id"`
	RefundID      string    `json:"refund_id"`
	RecordID      string    `json:"record_id"`
	PaymentStatus string    `json:"payment_status"`
	RefundStatus  string    `json:"refund_status"`
	HistoryAdded  int       `json:"history_entries_created"`
	UpdatedAt     time.Time `json:"updated_at"`
	Namespace     string    `json:"namespace"`
}

type recordsInput struct {
	Refund GatewayRefund `result:"process_gateway_refund"`
}

// UpdatePaymentRecords writes the refund into the books, by its id: an attempt
// that comes after a lost answer finds the record that is there.
func (d *Desk) UpdatePaymentRecords(ctx context.Context, in recordsInput) (RecordsUpdate, error) {
	if !in.Refund.Processed {
		return RecordsUpdate{}, tasker.Permanent("MISSING_REFUND", "there is no refund to record")
	}
	record, err := d.Books.Write(ctx, in.Refund.PaymentID, in.Refund.RefundID)
	if err != nil {
		return RecordsUpdate{}, recordVerdicts.Of(err)
	}
	tasker.Annotate(ctx, "operation", "update_payment_records")
	tasker.Annotate(ctx, "execution_hints", recordHints{record.ID, record.RefundID, record.PaymentStatus})
	tasker.Annotate(ctx, "http_headers", map[string]string{
		"X-Payment-Record-Service": recordService,
		"X-Record-ID":              record.ID,
		"X-Payment-Status":         record.PaymentStatus,
	})
	return RecordsUpdate{
		Updated: true, PaymentID: record.PaymentID, RefundID: record.RefundID, RecordID: record.ID,
		PaymentStatus: record.PaymentStatus, RefundStatus: record.RefundStatus,
		HistoryAdded: len(record.History), UpdatedAt: record.At, Namespace: Namespace,
	}, nil
}

var recordVerdicts = sim.Verdicts{
	"not_found":  {Code: "PAYMENT_NOT_FOUND"},
	"locked":     {Code: "RECORD_LOCKED", RetryAfter: 10 * time.Second},
	"error":      {Code: "UPDATE_FAILED", RetryAfter: 30 * time.Second},
	sim.Anything: {Code: "UNKNOWN_STATUS", RetryAfter: 30 * time.Second},
}

type recordHints struct {
	RecordID      string `json:"record_id"`
	RefundID      string `json:"refund_id"`
	PaymentStatus string `json:"payment_status"`
}
