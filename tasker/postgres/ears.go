package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tasker-systems/tasker-go/tasker"
)

// ears carry hints: at once to those who listen in this process, and by
// NOTIFY to other processes. Hints only make faster what a poll would find,
// so none of this is waited for, and all of it may fail.
type ears struct {
	store *Store
	names struct{ channel, self string }

	mu        sync.Mutex
	listeners map[int]func(tasker.Hint)
	nextID    int
	listening context.CancelFunc // of the LISTEN, which is there as long as anybody listens
	untold    [len(kinds)]bool   // kinds of hints that other processes have not heard
	telling   bool
	closed    bool

	all  sync.WaitGroup
	ctx  context.Context
	stop context.CancelFunc
	off  bool
}

// tellEvery bounds the notifications of a process: each of them takes a lock
// on the whole database when it commits.
const tellEvery = 100 * time.Millisecond

// listenTimeout is how long a silent connection is believed to be alive.
const listenTimeout = 30 * time.Second

func (e *ears) init(s *Store, o Options) {
	e.store, e.off = s, o.NoListen
	e.names.channel, e.names.self = "tasker_"+o.Schema, rand.Text()[:10]
	if len(e.names.channel) > 63 {
		e.names.channel = e.names.channel[:63]
	}
	e.listeners = map[int]func(tasker.Hint){}
	e.ctx, e.stop = context.WithCancel(context.Background())
}

func (e *ears) close() {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.stop()
	e.all.Wait()
}

// Listen implements [tasker.Store].
func (s *Store) Listen(hint func(tasker.Hint)) (stop func()) {
	e := &s.ears
	e.mu.Lock()
	defer e.mu.Unlock()
	id := e.nextID
	e.nextID++
	e.listeners[id] = hint
	if e.listening == nil && !e.off && !e.closed {
		ctx, cancel := context.WithCancel(e.ctx)
		e.listening = cancel
		e.all.Go(func() { e.listen(ctx) })
	}
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.listeners, id)
		if len(e.listeners) == 0 && e.listening != nil {
			e.listening()
			e.listening = nil
		}
	}
}

// hear passes hints to those who listen here.
func (e *ears) hear(hints ...tasker.Hint) {
	e.mu.Lock()
	listeners := make([]func(tasker.Hint), 0, len(e.listeners))
	for _, l := range e.listeners {
		listeners = append(listeners, l)
	}
	e.mu.Unlock()
	for _, l := range listeners {
		for _, h := range hints {
			l(h)
		}
	}
}

// tell passes hints on to all.
func (e *ears) tell(hints ...tasker.Hint) {
	if len(hints) == 0 {
		return
	}
	e.hear(hints...)
	if e.off {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, h := range hints {
		e.untold[h.Kind] = true
	}
	if !e.telling && !e.closed {
		e.telling = true
		e.all.Go(e.notify)
	}
}

// kinds are the hints as a notification spells them.
var kinds = [...]string{tasker.HintWork: "work", tasker.HintPoke: "poke", tasker.HintEnd: "end", tasker.HintEvents: "events"}

// notify tells other processes, in a statement of its own after the commit:
// all that has gathered at once, and not too often.
func (e *ears) notify() {
	for {
		e.mu.Lock()
		payload := e.names.self
		for kind, untold := range e.untold {
			if untold {
				payload += " " + kinds[kind]
			}
		}
		e.untold = [len(kinds)]bool{}
		if payload == e.names.self || e.closed {
			e.telling = false
			e.mu.Unlock()
			return
		}
		e.mu.Unlock()
		ctx, cancel := e.store.bounded(e.ctx)
		_, err := e.store.pool.Exec(ctx, e.store.sql["notify"], e.names.channel, payload)
		cancel()
		if err != nil && e.ctx.Err() == nil {
			e.store.log.Debug("tasker: other processes were not notified; their polls will find it", "error", e.store.told("notify", err))
		}
		select {
		case <-time.After(tellEvery):
		case <-e.ctx.Done():
		}
	}
}

// listen hears what other processes tell, on a connection of its own. After
// each new connection anything may have been missed.
func (e *ears) listen(ctx context.Context) {
	pause := tellEvery
	for ctx.Err() == nil {
		began := time.Now()
		err := e.listenOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		e.store.log.Debug("tasker: no notifications of other processes for now; polls go on", "error", err)
		if time.Since(began) > listenTimeout {
			pause = tellEvery
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, 5*time.Second)
	}
}

func (e *ears) listenOnce(ctx context.Context) error {
	dial, cancel := e.store.bounded(ctx)
	defer cancel()
	config := e.store.pool.Config().ConnConfig
	conn, err := pgx.ConnectConfig(dial, config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(dial)) }()
	if _, err := conn.Exec(dial, "listen "+pgx.Identifier{e.names.channel}.Sanitize()); err != nil {
		return err
	}
	for kind := range kinds {
		e.hear(tasker.Hint{Kind: tasker.HintKind(kind)})
	}
	for {
		if err := e.await(ctx, conn); err != nil {
			return err
		}
	}
}

// await waits for one notification. When none comes for long, the connection
// is asked for a sign of life.
func (e *ears) await(ctx context.Context, conn *pgx.Conn) error {
	wait, cancel := context.WithTimeout(ctx, listenTimeout)
	defer cancel()
	n, err := conn.WaitForNotification(wait)
	if err == nil {
		e.hear(hintsOf(n.Payload, e.names.self)...)
		return nil
	}
	if ctx.Err() != nil || conn.IsClosed() {
		return err
	}
	ping, cancel := e.store.bounded(ctx)
	defer cancel()
	if err := conn.Ping(ping); err != nil {
		return fmt.Errorf("the connection is silent: %w", err)
	}
	return nil
}

// hintsOf reads a notification; one of our own tells nothing new.
func hintsOf(payload, self string) (hints []tasker.Hint) {
	words := strings.Fields(payload)
	if len(words) == 0 || words[0] == self {
		return nil
	}
	for _, word := range words[1:] {
		for kind, name := range kinds {
			if word == name {
				hints = append(hints, tasker.Hint{Kind: tasker.HintKind(kind)})
			}
		}
	}
	return hints
}
