package tasker

// The limits that the engine holds every task to, besides those of payloads
// ([payload.MaxBytes] of a context, and of a result with its metadata) and
// templates ([template.MaxSteps]). What is larger is refused with a code, at
// submit or as a permanent error of the step; nothing is ever cut short. What a
// failure has beside its text, its figures and notes, is left out where it is
// larger than a payload, and the reason stands in its place.
const (
	MaxErrorText    = 16 << 10 // bytes of an error's message, of its code, and of an operator's reason
	MaxTaskBytes    = 64 << 20 // bytes of context and results of one task together
	MaxLostAttempts = 3        // attempts that may be lost with their workers before a step is in error
)

// MaxRows is how many tasks a store lists, or offers, in one answer.
const MaxRows = 1000
