package tasker

import (
	"context"
	"errors"
	"time"
)

// Store keeps the logs of tasks, and a row about each. It knows nothing of
// templates or steps: what a record means is the engine's business. Every
// method may be called at any time from any goroutine; an error other than
// those named means that the outcome is not known and the call may be
// repeated.
type Store interface {
	// SaveTemplates keeps the texts that tasks begin with. Where another text
	// is kept under the same namespace, name and version, the new one is kept
	// beside it, or, unless beside is true, nothing is saved. The answer names
	// the templates whose text differs from one that was there before.
	SaveTemplates(ctx context.Context, templates []StoredTemplate, beside bool) (differing []StoredTemplate, err error)

	// Templates gives every text that is kept, in the order of namespace, name
	// and version, the oldest text of a version first.
	Templates(ctx context.Context) ([]StoredTemplate, error)

	// Submit stores new tasks, each with its first record, at position 1. A
	// task whose identity is taken is not stored; the answer, in the order of
	// tasks, then has the row of the task that has it. Nor is a task stored
	// twice: a submit may be repeated. ErrNoTemplate when a task's template was
	// not saved before; then nothing is stored.
	Submit(ctx context.Context, tasks []NewTask) ([]Row, error)

	// Append stores records, each at the position after the last one that
	// its writer has read, and whatever goes with it: the change of the task's
	// row, its children, the poke of a parent whose child ends. An append whose
	// position is taken is refused as a whole: its writer is behind and must
	// Load first. So is a claim by a worker whose lease is over, and one of a
	// task that another worker owns. The answers are in the order of appends.
	// A task stands in one of them at most. One that does not exist is refused
	// like one that has ended; Load tells which it is.
	Append(ctx context.Context, appends []Append) ([]Appended, error)

	// Load reads a task's row and its whole log. ErrNotFound when there is no
	// such task.
	Load(ctx context.Context, task ID) (Log, error)

	// Candidates reads tasks that want work and that no living worker owns.
	// Reading them claims nothing: the claim is an append. One that cannot be
	// read hurts no other.
	Candidates(ctx context.Context, q CandidateQuery) (Candidates, error)

	// Beat begins a worker's lease or renews it. ErrWorkerDead when the lease
	// has run out: it stays so, and a new id is needed. Every beat also
	// declares those workers dead whose lease is over.
	Beat(ctx context.Context, b Beat) (Pulse, error)

	// Leave ends a worker's lease. What it still owns may be claimed at once.
	Leave(ctx context.Context, worker ID) error

	// Purge deletes what its term allows of the tasks that ended long ago, at
	// most limit of them, the oldest end first, and says how many it dealt
	// with. A task whose parent goes on stays. One whose identity has a longer
	// term loses its log now and its row later; until then Load answers
	// ErrPurged, and its identity still stands for it. One whose identity has
	// a shorter term gives it up, and may be submitted again.
	Purge(ctx context.Context, terms Retention, limit int) (int, error)

	// TakeEvents reads on for a consumer of durable domain events, from the
	// one that follows the last that it has acknowledged: at most limit of
	// them, in an order that never changes and in which those of a task are as
	// they were recorded. Who is new begins with the oldest that is kept.
	// Whoever takes holds the consumer for a time, in which nobody else takes
	// for it: ErrEventsHeld.
	TakeEvents(ctx context.Context, hold EventsHold, limit int) ([]DomainEvent, error)

	// AckEvents notes that a consumer is done with everything up to a position,
	// and goes on holding it, or, for no time, lets it go. ErrEventsHeld when
	// somebody else holds it now; then nothing is noted.
	AckEvents(ctx context.Context, hold EventsHold, position int64) error

	// Consumers lists the consumers that have taken events, by name.
	Consumers(ctx context.Context) ([]ConsumerProgress, error)

	// ForgetConsumer drops what is known of a consumer; under its name somebody
	// begins anew. ErrNoConsumer when there is none, ErrEventsHeld when
	// somebody reads for it now.
	ForgetConsumer(ctx context.Context, name string) error

	// Rows lists tasks, newest first.
	Rows(ctx context.Context, f Filter) ([]Row, error)

	// Listen calls hint, from any goroutine, when something may have changed.
	// hint must not block. Hints may be lost: they only make faster what a
	// poll would find. Where a store has none, Listen does nothing.
	Listen(hint func(Hint)) (stop func())
}

// Transactor is a [Store] that can record a step in the transaction in which
// its handler worked.
type Transactor interface {
	Store

	// Transact begins a transaction and gives it to work in a context, which a
	// Submit on this store with that context joins. The append that work asks
	// for is the last statement before the commit. When work fails, or the
	// append is refused, everything is rolled back. As with Append, an error
	// that is not work's own leaves open whether it was stored.
	Transact(ctx context.Context, work func(ctx context.Context) (Append, error)) (Appended, error)
}

// What a store answers.
var (
	ErrNotFound   = errors.New("no such task")
	ErrNoTemplate = errors.New("the task's template was not saved")
	ErrWorkerDead = errors.New("the worker's lease has run out")
	ErrPurged     = errors.New("the task ended long ago, and its log was deleted")
	ErrEventsHeld = errors.New("somebody else takes the events of this consumer")
	ErrNoConsumer = errors.New("no such consumer")
)

// Row is what a store knows of a task besides its log. State is exact for a
// task that nobody owns, and in_progress for one that a worker has.
type Row struct {
	ID, Parent, Root         ID // Root is the task's own id when it has no parent
	Namespace, Name, Version string
	Hash                     string // of the template that the task began with
	Environment              string
	Priority                 int
	CorrelationID            string
	Tag                      string // of the run that it belongs to; workers may keep to one
	Identity                 string // unique within namespace and name; "" for none
	InputHash                string
	RetryEnded               bool // an equal Identity may be taken once this task ended in error or was cancelled

	State                 TaskState
	Owner                 ID        // the worker that has it; zero for nobody
	WakeAt                time.Time // when it wants work again; zero for not by itself
	Poke                  int64     // raised when something that it may wait for has changed
	CreatedAt, FinishedAt time.Time

	Trace string // W3C traceparent of the task, for observers: it is in the log, and no store sets it here
}

// StoredTemplate is the text of a template, as a store keeps it.
type StoredTemplate struct {
	Namespace, Name, Version string
	Hash                     string // of Source; it names the text
	Source                   string
	Steps                    []string // their names in order, for those who look at the store itself
}

// Log is a task's row with its records, read at Now by the store's clock.
type Log struct {
	Row     Row
	Records []Record
	Now     time.Time
	Fault   error // of a candidate: why it cannot be read, such as that a newer program has written it
}

// NewTask is a task to be stored. The store sets CreatedAt, State, WakeAt and
// the record's position and time.
type NewTask struct {
	Row    Row
	Record Record
}

// RowChange says what an append does to the task's row.
type RowChange uint8

// The changes of a row.
const (
	KeepRow    RowChange = iota
	OwnRow               // the writer owns the task, which is in_progress
	ReleaseRow           // nobody owns it: State and WakeIn, but only if Poke is what it was
	FinishRow            // the task has ended: State. Its parent is poked, and whoever awaits it
	SteerRow             // the writer is not the owner: State and WakeIn where nobody owns it. Goes with Poke
)

// Append is a record to be stored. Without events there is no record, only
// the change of the row, on the same condition.
type Append struct {
	Task   ID
	After  int64 // the position that the record follows
	Record Record
	Change RowChange
	State  TaskState
	WakeIn time.Duration // from the store's now; negative for not by itself
	IfPoke int64         // for ReleaseRow: the poke that the writer has acted on
	Poke   bool          // raise the row's poke: the writer is not the owner
	Awaits []ID          // for ReleaseRow: the task is poked by a beat when one of these has ended. Its children poke it themselves
	Limit  int           // for OwnRow: refused where the living own so many tasks of the namespace already; 0 for no limit

	// Children are new tasks that are stored if the record is. Those whose
	// identity is taken are passed over.
	Children []NewTask

	// Events are durable domain events that are stored if the record is, in
	// this order. The store sets FiredAt and Position.
	Events []DomainEvent
}

// Appended answers an [Append].
type Appended struct {
	Stored   bool      // false when the position was taken
	At       time.Time // the record's time
	Released bool      // for ReleaseRow: false when Poke had changed, and the writer still owns the task
}

// CandidateQuery says which tasks a worker would take.
type CandidateQuery struct {
	Templates []TemplateKey // that it has every handler of
	Tag       string        // "" for any
	Limit     int           // at most MaxRows
	Oldest    bool          // by age alone: templates that are more urgent do not go before others
}

// TemplateKey is a namespace and the hash of one of its templates.
type TemplateKey struct{ Namespace, Hash string }

// Candidates answers a [CandidateQuery]: tasks round the namespaces, within
// one by priority and age, or by age alone.
type Candidates struct {
	Logs     []Log
	NextWake time.Time // the next time at which one will want work; zero for none
	Now      time.Time
}

// Beat is a worker's sign of life.
type Beat struct {
	Worker ID
	Lease  time.Duration
	First  bool // the worker is new

	// Templates that it has every handler of; kept with each beat, so that a
	// task which no living worker can run is told from one that waits.
	Templates []TemplateKey
}

// EventsHold says who takes domain events for a consumer, and for how long
// nobody else shall.
type EventsHold struct {
	Consumer string
	By       ID
	For      time.Duration
}

// ConsumerProgress tells how far a consumer of durable domain events has come.
type ConsumerProgress struct {
	Name   string
	Held   bool      // somebody reads for it now
	Unread int64     // events that it has yet to pass, also those that its pattern does not match
	Oldest time.Time // when the first of them was recorded; zero where there is none
}

// Retention says how long tasks stay after their end; zero for ever. A task
// stays as long as a consumer that the store knows has not read its events.
type Retention struct {
	Tasks time.Duration // rows and logs
	Keys  time.Duration // idempotency keys
}

// Pulse answers a [Beat].
type Pulse struct {
	Owned []Owned // what the store thinks that the worker owns
	Now   time.Time
}

// Owned is a task of a worker, with its poke.
type Owned struct {
	Task ID
	Poke int64
}

// Filter says which rows to list. Its zero value lists the newest hundred.
type Filter struct {
	Namespace, Name, Tag string // "" for any
	States               []TaskState
	Parent               ID
	InputHash            string
	IDs                  []ID          // none for any
	NoWorker             bool          // only tasks that have not ended and that no living worker has the handlers of
	Idle                 time.Duration // only tasks that have not ended and to which nothing happened for so long
	Before               ID            // the last of the page before
	Limit                int           // at most MaxRows
}

// Hint says what may have changed.
type Hint struct {
	Kind HintKind
	Task ID // zero when it may be any
}

// HintKind is the kind of a [Hint].
type HintKind uint8

// The hints of a store.
const (
	HintWork   HintKind = iota // a task wants work
	HintPoke                   // the row of an owned task was poked
	HintEnd                    // a task came to rest or ended
	HintEvents                 // durable domain events were stored
)
