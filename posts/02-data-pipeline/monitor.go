package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Monitor watches the pipeline from outside: it takes the time of steps, and
// calls a person when one has failed for good. It hears of everything through
// a queue, which it empties in its own time, so that no step waits for it. A
// queue that is full loses what comes; a monitor that panics goes on with the
// next event.
type Monitor struct {
	queue chan news
	end   chan struct{}
	call  func(step, why string)
	fault string // of -monitor

	flush sync.Once

	unheard, lost, panicked atomic.Int64 // events

	mu    sync.Mutex
	steps map[tasker.ID]map[string]span
}

// news is an event of a task.
type news struct {
	task  tasker.ID
	at    time.Time
	event tasker.Event
}

// span is the time from a step's first attempt to its end, waits between
// attempts included.
type span struct{ began, ended time.Time }

// Faults of -monitor.
const (
	monitorPanics = "panic"
	monitorStuck  = "stuck"
)

func checkMonitor(fault string) error {
	if fault != monitorPanics && fault != monitorStuck {
		return fmt.Errorf("it must be %s or %s", monitorPanics, monitorStuck)
	}
	return nil
}

func monitorOf(w *post.World) *Monitor {
	return post.Share(w, "monitor", func() *Monitor {
		m := &Monitor{
			queue: make(chan news, 1000), end: make(chan struct{}), steps: map[tasker.ID]map[string]span{},
			call: func(step, why string) {
				w.Say("on call", "a phone rings: %s has failed for good, %s", step, why)
			},
		}
		if faults := w.Flag("monitor"); len(faults) > 0 {
			m.fault = faults[len(faults)-1]
		}
		return m
	})
}

// watch puts the monitor behind the engine's observer.
func watch(w *post.World, config *tasker.Config) {
	m, before := monitorOf(w), config.Observe
	config.Observe = func(row tasker.Row, record tasker.Record) {
		before(row, record)
		for _, event := range record.Events {
			m.offer(news{row.ID, record.At, event})
		}
	}
	go m.listen()
	w.AtEnd(func() { close(m.end) })
}

// offer never waits.
func (m *Monitor) offer(n news) {
	m.unheard.Add(1)
	select {
	case m.queue <- n:
	default:
		m.unheard.Add(-1)
		m.lost.Add(1)
	}
}

func (m *Monitor) listen() {
	for {
		select {
		case n := <-m.queue:
			m.hear(n)
			m.unheard.Add(-1)
		case <-m.end:
			return
		}
	}
}

// hear takes in one event, and survives a panic while it does.
func (m *Monitor) hear(n news) {
	defer func() {
		if recover() != nil {
			m.panicked.Add(1)
		}
	}()
	switch m.fault {
	case monitorPanics:
		panic("the monitor panics, as -monitor asks")
	case monitorStuck:
		<-m.end
	}
	m.take(n)
}

func (m *Monitor) take(n news) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.steps[n.task] == nil {
		m.steps[n.task] = map[string]span{}
	}
	step := n.event.Step
	s, known := m.steps[n.task][step]
	switch n.event.Kind {
	case tasker.Started:
		if !known {
			m.steps[n.task][step] = span{began: n.at}
		}
	case tasker.Completed, tasker.Failed:
		if known {
			s.ended = n.at
			m.steps[n.task][step] = s
		}
		if n.event.Kind == tasker.Failed {
			m.call(step, n.event.Error.Code)
		}
	}
}

// catchUp gives the monitor a moment to hear of what is in its queue, once, as
// one flushes an exporter at the end. What it has not heard by then is lost.
func (m *Monitor) catchUp() {
	m.flush.Do(func() {
		patience := time.Now().Add(500 * time.Millisecond)
		for m.unheard.Load() > 0 && time.Now().Before(patience) {
			time.Sleep(time.Millisecond)
		}
	})
}

// Overlap is what it brings that steps do not wait for each other without
// need, in whole milliseconds.
type Overlap struct {
	InARow     time.Duration // all steps, one after another
	SideBySide time.Duration // from the first step's start to the last one's end
}

// Saved is the difference.
func (o Overlap) Saved() time.Duration { return o.InARow - o.SideBySide }

// overlap adds up the steps of a task that have begun and ended before the
// monitor's eyes; ok is false for none.
func (m *Monitor) overlap(task tasker.ID) (o Overlap, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var began, ended time.Time
	for _, s := range m.steps[task] {
		if s.ended.IsZero() {
			continue
		}
		o.InARow += s.ended.Sub(s.began)
		if began.IsZero() || s.began.Before(began) {
			began = s.began
		}
		if s.ended.After(ended) {
			ended = s.ended
		}
	}
	o.InARow, o.SideBySide = o.InARow.Round(time.Millisecond), ended.Sub(began).Round(time.Millisecond)
	return o, !ended.IsZero()
}
