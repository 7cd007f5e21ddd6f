package tasker

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// A DomainEvent says that something has happened that the business cares for:
// a payment was made, an order was refused. Templates declare them under a
// step's publishes_events; no code publishes one. They follow from what is
// recorded, and only from that, so nothing is told that did not happen.
type DomainEvent struct {
	ID      ID              `json:"id"` // the same however often it is delivered
	Name    string          `json:"name"`
	Payload json.RawMessage `json:"payload"` // an object, with what its schema declares and nothing else

	TaskID        ID        `json:"task_id"`
	RootID        ID        `json:"root_id"`
	Namespace     string    `json:"namespace"`
	Task          string    `json:"task"` // its name
	Version       string    `json:"version"`
	Step          string    `json:"step"`
	Attempt       int       `json:"attempt"`
	CorrelationID string    `json:"correlation_id"`
	Trace         string    `json:"trace,omitempty"` // W3C traceparent of the attempt, or of the task
	Tag           string    `json:"tag,omitempty"`   // of the run that the task belongs to
	FiredAt       time.Time `json:"fired_at"`        // when what it tells of was recorded

	Position int64 `json:"position,omitempty"` // of a durable event, among all of the store
}

// Delivery is how a domain event reaches those who want it.
type Delivery string

// The delivery modes of a template.
const (
	Fast      Delivery = "fast"      // to subscribers in the process that recorded it, lost with the process
	Durable   Delivery = "durable"   // to consumers anywhere, at least once
	Broadcast Delivery = "broadcast" // both
)

// conditions are met by what may become of an attempt. What an operator says
// became of it counts as well.
var conditions = map[EventKind][]string{
	Completed:       {"success", "always"},
	CompletedByHand: {"success", "always"},
	Retrying:        {"failure", "retryable_failure", "always"},
	Failed:          {"failure", "permanent_failure", "always"},
	FailedByHand:    {"failure", "permanent_failure", "always"},
}

// publication is a domain event that is published once its record is stored.
type publication struct {
	DomainEvent
	mode Delivery
}

// publish makes the domain events that follow from what is about to be
// recorded of a task. One whose payload breaks its schema is not published:
// the step is what it is all the same.
func (e *Engine) publish(t *Task, row *Row, events []Event) (all []publication) {
	for i := range events {
		event := &events[i]
		met := conditions[event.Kind]
		if event.Step == "" || event.Undo || met == nil {
			continue
		}
		step := &t.template.Steps[t.template.Graph().Index[event.Step]]
		for n := range step.Events {
			declared := &step.Events[n]
			if !slices.Contains(met, declared.Condition) {
				continue
			}
			made := publication{e.domainEvent(t, row, event), Delivery(declared.DeliveryMode)}
			made.Name, made.Payload = declared.Name, payloadOf(declared, step, event)
			if broken := declared.Schema.Check(made.Payload); len(broken) > 0 {
				e.refuse(&made, broken)
				continue
			}
			all = append(all, made)
		}
	}
	return all
}

// durable are those of them that are stored with the record.
func durable(all []publication) (stored []DomainEvent) {
	for i := range all {
		if all[i].mode != Fast {
			stored = append(stored, all[i].DomainEvent)
		}
	}
	return stored
}

// published tells of domain events whose record was stored.
func (e *Engine) published(all []publication, at time.Time) {
	for i := range all {
		p := &all[i]
		p.FiredAt = at
		e.toldOf(EventNotice{Event: &p.DomainEvent, Mode: p.mode, Outcome: EventPublished})
		if p.mode != Durable {
			e.subscribers.hear(&p.DomainEvent, p.mode)
		}
	}
}

func (e *Engine) domainEvent(t *Task, row *Row, event *Event) DomainEvent {
	trace := event.Trace
	if trace == "" {
		trace = t.Trace
	}
	return DomainEvent{
		ID: e.newID(), TaskID: row.ID, RootID: row.Root, Namespace: row.Namespace, Task: row.Name, Version: row.Version,
		Step: event.Step, Attempt: event.Attempt, CorrelationID: row.CorrelationID, Trace: trace, Tag: row.Tag,
	}
}

// refuse tells that an event is not published, without what is in it.
func (e *Engine) refuse(made *publication, broken []template.Violation) {
	var where []string
	for _, v := range broken {
		where = append(where, v.Path)
	}
	e.log.Warn("tasker: a domain event is not published: what the step gave breaks the event's schema",
		"event", made.Name, "task", made.TaskID, "step", made.Step, "where", strings.Join(where, ", "))
	e.toldOf(EventNotice{Event: &made.DomainEvent, Mode: made.mode, Outcome: EventInvalid})
}

// payloadOf is what leaves with an event: of a success the fields of the
// result, of a failure what is known of it; beside either what the handler
// annotated. Of all that only what the event's schema declares.
func payloadOf(declared *template.Event, step *template.Step, event *Event) json.RawMessage {
	fields := map[string]json.RawMessage{}
	take := func(raw json.RawMessage) {
		var more map[string]json.RawMessage
		if json.Unmarshal(raw, &more) != nil {
			return // it is no object, and has no fields
		}
		for name, value := range more {
			fields[name] = value
		}
	}
	take(event.Metadata)
	switch event.Kind {
	case Completed, CompletedByHand:
		take(event.Result)
	default:
		take(failureOf(step, event))
	}
	raw, _ := json.Marshal(fields) // each was encoded before
	return declared.Schema.Keep(raw)
}

// failureOf is a failure as an event tells it: the context of the error, and
// these.
func failureOf(step *template.Step, event *Event) json.RawMessage {
	fields := map[string]any{}
	for name, value := range event.Error.Context {
		fields[name] = value
	}
	fields["error_type"], fields["error_code"], fields["message"] = event.Error.Kind, event.Error.Code, event.Error.Message
	fields["attempt"], fields["max_attempts"], fields["will_retry"] = event.Attempt, step.Retry.Attempts(), event.Kind == Retrying
	raw, _ := json.Marshal(fields) // each was encoded before
	return raw
}

// EventNotice tells what became of a domain event on its way.
type EventNotice struct {
	Event   *DomainEvent
	Mode    Delivery
	Outcome EventOutcome
	To      string        // the subscriber or consumer; "" for none
	Took    time.Duration // its call
	Err     error         // of its call
}

// EventOutcome is what an [EventNotice] is about.
type EventOutcome string

// What may become of a domain event.
const (
	EventPublished EventOutcome = "published" // its record is stored
	EventInvalid   EventOutcome = "invalid"   // it broke its schema, and is not published
	EventDropped   EventOutcome = "dropped"   // a subscriber's buffer was full
	EventDelivered EventOutcome = "delivered" // the subscriber or consumer has it
	EventFailed    EventOutcome = "failed"    // the subscriber or consumer returned an error or panicked
)

func (e *Engine) toldOf(n EventNotice) {
	if observe := e.config.ObserveEvents; observe != nil {
		defer e.survive("the observer of events")
		observe(n)
	}
}

// survive is deferred around code that is not ours.
func (e *Engine) survive(whose string) {
	if p := recover(); p != nil {
		e.log.Error("tasker: "+whose+" panicked", "panic", p)
	}
}
