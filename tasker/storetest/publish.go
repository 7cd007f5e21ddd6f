package storetest

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker"
)

var publishing = chapter{"publish", []promise{
	{"events are there with their record, in its order, and with its time", eventsOfARecord},
	{"events go with every kind of append", eventsOfEveryAppend},
	{"a refused append publishes nothing", refusedPublishesNothing},
	{"what is sent again publishes once", publishedOnce},
	{"a consumer goes on after what it has acknowledged, and reads the rest again", consumerGoesOn},
	{"consumers read the same events, each at its own pace", consumersApart},
	{"who takes for a consumer keeps others out until it is silent for too long", consumerHeld},
	{"who lets go of a consumer lets others in at once", consumerLetGo},
	{"who is too late acknowledges nothing", lateAcknowledge},
	{"consumers are listed with what they have yet to read", consumersListed},
	{"a consumer that is forgotten begins anew, and nobody's is forgotten who reads", consumerForgotten},
	{"many writers lose nothing, and the events of a task keep their order", writersAtOnce},
	{"a task stays until its events are read by those who read any", unreadStays},
	{"a listener hears of events", hearsEvents},
}}

// event is a domain event of a task.
func (w *world) event(task tasker.ID, n int) tasker.DomainEvent {
	return tasker.DomainEvent{
		ID: w.id(), Name: "order.moved", Payload: fmt.Appendf(nil, `{"n":%d}`, n),
		TaskID: task, RootID: task, Namespace: "shop", Task: "order", Version: "1.0.0", Step: "a", Attempt: n,
		CorrelationID: "c-1", Trace: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Tag: "run",
	}
}

// publishes stores a record with events.
func (w *world) publishes(a tasker.Append, events ...tasker.DomainEvent) tasker.Appended {
	w.Helper()
	a.Events = events
	return w.stores(a)
}

func (w *world) reader(name string) tasker.EventsHold {
	return tasker.EventsHold{Consumer: name, By: w.id(), For: long}
}

func (w *world) takes(hold tasker.EventsHold, limit int) []tasker.DomainEvent {
	w.Helper()
	var events []tasker.DomainEvent
	w.surely(func() (err error) { events, err = w.TakeEvents(w.Context(), hold, limit); return err })
	for i := 1; i < len(events); i++ {
		if events[i].Position <= events[i-1].Position {
			w.Errorf("position %d follows %d", events[i].Position, events[i-1].Position)
		}
	}
	return events
}

// reads takes all there is and wants it to be these events.
func (w *world) reads(hold tasker.EventsHold, want ...tasker.DomainEvent) []tasker.DomainEvent {
	w.Helper()
	got := w.takes(hold, 1000)
	if len(got) != len(want) {
		w.Fatalf("there are %d events, want %d", len(got), len(want))
	}
	for i := range got {
		plain := got[i]
		plain.FiredAt, plain.Position = time.Time{}, 0
		if diff := cmp.Diff(want[i], plain); diff != "" {
			w.Errorf("an event came back changed (-want +got):\n%s", diff)
		}
	}
	return got
}

func (w *world) acknowledges(hold tasker.EventsHold, position int64) {
	w.Helper()
	w.surely(func() error { return w.AckEvents(w.Context(), hold, position) })
}

func eventsOfARecord(w *world) {
	k := w.join()
	task := k.has()
	first, second, third := w.event(task, 1), w.event(task, 2), w.event(task, 3)
	at := w.publishes(w.next(task, k.id), first, second).At
	w.publishes(w.next(task, k.id), third)
	got := w.reads(w.reader("bookkeeping"), first, second, third)
	if !got[0].FiredAt.Equal(at) || !got[1].FiredAt.Equal(at) {
		w.Errorf("the events of a record of %v were fired at %v and %v", at, got[0].FiredAt, got[1].FiredAt)
	}
}

func eventsOfEveryAppend(w *world) {
	k := w.join()
	owned, claimed, released, ended, steered, parent := k.has(), w.submit(), k.has(), k.has(), w.submit(), k.has()
	var want []tasker.DomainEvent
	do := func(a tasker.Append) {
		e := w.event(a.Task, len(want))
		want = append(want, e)
		w.publishes(a, e)
	}
	do(w.next(owned, k.id))
	claim := w.next(claimed, k.id)
	claim.Change = tasker.OwnRow
	do(claim)
	release := w.next(released, k.id)
	release.Change, release.State = tasker.ReleaseRow, tasker.TaskWaiting
	do(release)
	do(finishes(w.next(ended, k.id), tasker.TaskComplete))
	steer := w.next(steered, nobody)
	steer.Change, steer.State, steer.Poke = tasker.SteerRow, tasker.TaskWaiting, true
	do(steer)
	withChild := w.next(parent, k.id)
	withChild.Children = []tasker.NewTask{w.task(childOf(parent))}
	do(withChild)
	w.reads(w.reader("bookkeeping"), want...)
}

func refusedPublishesNothing(w *world) {
	k := w.join()
	task := k.has()
	behind := w.next(task, k.id)
	behind.After--
	behind.Events = []tasker.DomainEvent{w.event(task, 1)}
	w.refuses(behind, "who is behind")
	foreign := w.next(task, w.join().id)
	foreign.Change, foreign.Events = tasker.OwnRow, []tasker.DomainEvent{w.event(task, 2)}
	w.refuses(foreign, "a claim of what another worker has")
	w.reads(w.reader("bookkeeping"))
}

func publishedOnce(w *world) {
	k := w.join()
	task := k.has()
	a := w.next(task, k.id)
	a.Events = []tasker.DomainEvent{w.event(task, 1)}
	w.stores(a)
	w.refuses(a, "what is sent again")
	w.reads(w.reader("bookkeeping"), a.Events...)
}

func consumerGoesOn(w *world) {
	k := w.join()
	task := k.has()
	first, second, third := w.event(task, 1), w.event(task, 2), w.event(task, 3)
	w.publishes(w.next(task, k.id), first, second, third)
	hold := w.reader("bookkeeping")
	if got := w.takes(hold, 2); len(got) != 2 {
		w.Fatalf("two of three are %d", len(got))
	}
	got := w.reads(hold, first, second, third)
	w.acknowledges(hold, got[0].Position)
	w.reads(hold, second, third)
	w.acknowledges(hold, 0) // goes on holding, and no further
	w.reads(hold, second, third)
	w.acknowledges(hold, got[2].Position)
	w.acknowledges(hold, got[1].Position) // never backwards
	w.reads(hold)
	fourth := w.event(task, 4)
	w.publishes(w.next(task, k.id), fourth)
	w.reads(hold, fourth)
}

func consumersApart(w *world) {
	k := w.join()
	task := k.has()
	first, second := w.event(task, 1), w.event(task, 2)
	w.publishes(w.next(task, k.id), first, second)
	one, other := w.reader("bookkeeping"), w.reader("mail")
	w.acknowledges(one, w.reads(one, first, second)[1].Position)
	w.reads(one)
	w.reads(other, first, second)
}

func consumerHeld(w *world) {
	k := w.join()
	task := k.has()
	first := w.event(task, 1)
	w.publishes(w.next(task, k.id), first)
	one, other := w.reader("bookkeeping"), w.reader("bookkeeping")
	one.For = 200 * time.Millisecond
	w.reads(one, first)
	if _, err := w.TakeEvents(w.Context(), other, 10); !errors.Is(err, tasker.ErrEventsHeld) {
		w.Errorf("another one gets %v", err)
	}
	w.eventually("the hold is over", func() bool {
		_, err := w.TakeEvents(w.Context(), other, 10)
		return err == nil
	})
	w.reads(other, first)
}

func consumerLetGo(w *world) {
	k := w.join()
	task := k.has()
	first, second := w.event(task, 1), w.event(task, 2)
	w.publishes(w.next(task, k.id), first, second)
	one, other := w.reader("bookkeeping"), w.reader("bookkeeping")
	position := w.reads(one, first, second)[0].Position
	one.For = 0
	w.acknowledges(one, position)
	w.reads(other, second)
}

func (w *world) consumers() (all []tasker.ConsumerProgress) {
	w.Helper()
	w.surely(func() (err error) { all, err = w.Consumers(w.Context()); return err })
	return all
}

func consumersListed(w *world) {
	if all := w.consumers(); len(all) != 0 {
		w.Errorf("where nobody has read there is %v", all)
	}
	k := w.join()
	task := k.has()
	reads, rests := w.reader("bookkeeping"), w.reader("Mail")
	rests.For = 0
	w.reads(rests)
	at := w.publishes(w.next(task, k.id), w.event(task, 1), w.event(task, 2)).At
	later := w.publishes(w.next(task, k.id), w.event(task, 3)).At
	w.acknowledges(reads, w.takes(reads, 10)[1].Position)
	want := []tasker.ConsumerProgress{{Name: "Mail", Unread: 3, Oldest: at}, {Name: "bookkeeping", Held: true, Unread: 1, Oldest: later}}
	if diff := cmp.Diff(want, w.consumers()); diff != "" {
		w.Errorf("the consumers are wrong (-want +got):\n%s", diff)
	}
}

func consumerForgotten(w *world) {
	k := w.join()
	task := k.has()
	first := w.event(task, 1)
	w.publishes(w.next(task, k.id), first)
	reader := w.reader("bookkeeping")
	w.acknowledges(reader, w.reads(reader, first)[0].Position)
	if err := w.ForgetConsumer(w.Context(), reader.Consumer); !errors.Is(err, tasker.ErrEventsHeld) {
		w.Errorf("to forget a consumer that reads gives %v", err)
	}
	reader.For = 0
	w.acknowledges(reader, 0)
	w.surely(func() error { return w.ForgetConsumer(w.Context(), reader.Consumer) })
	if err := w.ForgetConsumer(w.Context(), reader.Consumer); !errors.Is(err, tasker.ErrNoConsumer) {
		w.Errorf("to forget it again gives %v", err)
	}
	w.reads(w.reader("bookkeeping"), first)
}

func lateAcknowledge(w *world) {
	k := w.join()
	task := k.has()
	first := w.event(task, 1)
	w.publishes(w.next(task, k.id), first)
	late, next := w.reader("bookkeeping"), w.reader("bookkeeping")
	late.For = time.Millisecond
	position := w.reads(late, first)[0].Position
	w.eventually("the hold is over", func() bool {
		_, err := w.TakeEvents(w.Context(), next, 10)
		return err == nil
	})
	if err := w.AckEvents(w.Context(), late, position); !errors.Is(err, tasker.ErrEventsHeld) {
		w.Errorf("who is too late gets %v", err)
	}
	if err := w.AckEvents(w.Context(), w.reader("nobody"), position); !errors.Is(err, tasker.ErrEventsHeld) {
		w.Errorf("who never took anything gets %v", err)
	}
	w.reads(next, first)
}

func writersAtOnce(w *world) {
	const writers, records = 8, 25
	var all sync.WaitGroup
	for range writers {
		k := w.join()
		task := k.has()
		all.Go(func() {
			for n := range records {
				w.publishes(w.next(task, k.id), w.event(task, 2*n), w.event(task, 2*n+1))
			}
		})
	}
	written := make(chan struct{})
	go func() { defer close(written); all.Wait() }()
	hold := w.reader("bookkeeping")
	last := map[tasker.ID]int{}
	read := 0
	w.eventually("all events are read", func() bool {
		for _, e := range w.takes(hold, 7) {
			if want := last[e.TaskID]; e.Attempt != want {
				w.Errorf("event %d of a task comes where %d is due", e.Attempt, want)
			}
			last[e.TaskID]++
			read++
			w.acknowledges(hold, e.Position)
		}
		return read == writers*records*2
	})
	<-written
}

func unreadStays(w *world) {
	k := w.join()
	reader := w.reader("bookkeeping")
	w.reads(reader)
	task := k.has()
	end := finishes(k.next(task, k.id), tasker.TaskComplete)
	end.Events = []tasker.DomainEvent{w.event(task, 1)}
	answer := w.stores(end)
	w.eventually("the end is past", func() bool { return k.clock().Sub(answer.At) > 5*soon })
	w.purges(tasker.Retention{Tasks: soon}, 10, 0)
	position := w.reads(reader, end.Events...)[0].Position
	w.purges(tasker.Retention{Tasks: soon}, 10, 0)
	w.acknowledges(reader, position)
	w.purges(tasker.Retention{Tasks: soon}, 10, 1)
	w.reads(w.reader("mail"))
}

func hearsEvents(w *world) {
	k := w.join()
	task := k.has()
	heard := make(chan tasker.Hint, 100)
	stop := w.Listen(func(h tasker.Hint) {
		select {
		case heard <- h:
		default:
		}
	})
	defer stop()
	w.publishes(w.next(task, k.id), w.event(task, 1))
	w.eventually("the hint is heard", func() bool {
		select {
		case h := <-heard:
			return h.Kind == tasker.HintEvents
		default:
			return false
		}
	})
}
