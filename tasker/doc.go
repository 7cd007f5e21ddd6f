// Package tasker is a workflow engine: templates describe tasks as a DAG of
// steps, plain Go functions do the work, and a store remembers what happened.
//
// A program loads its templates (package template), names its functions
// ([Handlers], made by [Step], [Undo] and [OnSubmit]), opens a store (package
// postgres, or memory) and makes an engine of these with [New]. The engine
// submits tasks, and, once it was started, runs them: its own, those of other
// processes on the store, and what a process that died has left.
//
// A handler that takes effect elsewhere sends [Key] along, since it may run
// more than once. One that waits for a person or for another task calls [Ask]
// or [Await]. What its error means for the step is said by [Permanent] and
// [Retryable].
//
// Package taskertest is for tests of workflows, and package telemetry for
// traces and metrics. The page docs/starting.md builds a service of all this.
package tasker
