package tasker

// The limits that the engine holds every task to. What is larger is refused
// with a code, at submit or as a permanent error of the step; nothing is ever
// cut short to fit.
const (
	MaxPayload      = 1 << 20  // bytes of a task's context, and of one step's result with its metadata
	MaxErrorText    = 16 << 10 // bytes of an error's message
	MaxTaskBytes    = 64 << 20 // bytes of context and results of one task together
	MaxSteps        = 10_000   // steps of a template
	MaxTemplateSize = 1 << 20  // bytes of a template's source
	MaxDepth        = 64       // levels of nesting in a payload
	MaxNumber       = 400      // digits of a number plus its exponent: 1e131071 would take 131 kB once it is written out
	MaxLostAttempts = 3        // attempts that may be lost with their workers before a step is in error
)
