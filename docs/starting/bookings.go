package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/tasker-systems/tasker-go/tasker"
)

// bookings is what guests may ask.
type bookings struct{ engine *tasker.Engine }

// customer is whoever asks. A real service has it from a session, never from
// what the request says of itself.
func customer(r *http.Request) string { return r.Header.Get("X-Customer") }

// booking is the input of a task.
type booking struct {
	Customer string `json:"customer"`
	Room     string `json:"room"`
	Card     string `json:"card"`
}

// ticket is what a customer sees of a booking. It has nothing of the input, in
// which the card is.
type ticket struct {
	ID    tasker.ID        `json:"id"`
	State tasker.TaskState `json:"state"`
}

// take answers at once: the work is done by a worker.
func (b bookings) take(w http.ResponseWriter, r *http.Request) {
	var wanted booking
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&wanted)
	wanted.Customer = customer(r)
	key := r.Header.Get("Idempotency-Key")
	switch {
	case wanted.Customer == "":
		say(w, http.StatusUnauthorized, "who are you?")
		return
	case err != nil || key == "":
		say(w, http.StatusBadRequest, "send a booking of at most 64 KiB with an Idempotency-Key")
		return
	}
	made, err := b.engine.Submit(r.Context(), tasker.Request{
		Namespace: "hotel", Name: "book_room", Context: wanted,
		// Keys are the customer's own: nobody finds the booking of another.
		IdempotencyKey: url.PathEscape(wanted.Customer) + "/" + key,
	})
	var rejected *tasker.Rejected
	switch {
	case errors.As(err, &rejected) && rejected.Code == tasker.CodeKeyMismatch:
		say(w, http.StatusConflict, "this key stands for another booking")
	case errors.As(err, &rejected):
		say(w, http.StatusUnprocessableEntity, rejected)
	case err != nil: // it may be stored all the same
		say(w, http.StatusServiceUnavailable, "ask again with the same key")
	default:
		say(w, http.StatusAccepted, map[string]tasker.ID{"id": made.ID})
	}
}

// show tells how far a booking is, to whoever made it.
func (b bookings) show(w http.ResponseWriter, r *http.Request) {
	id, err := tasker.ParseID(r.PathValue("id"))
	if err != nil {
		say(w, http.StatusNotFound, "no such booking")
		return
	}
	var made booking
	task, err := b.engine.Task(r.Context(), id)
	if err == nil {
		err = json.Unmarshal(task.Context, &made)
	}
	switch {
	case errors.Is(err, tasker.ErrNotFound), errors.Is(err, tasker.ErrPurged), err == nil && made.Customer != customer(r):
		say(w, http.StatusNotFound, "no such booking")
	case err != nil:
		say(w, http.StatusServiceUnavailable, "ask again")
	default:
		say(w, http.StatusOK, ticket{task.ID, task.State})
	}
}

func say(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(what) // who has gone away wants no more
}
