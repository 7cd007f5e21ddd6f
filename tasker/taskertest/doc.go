// Package taskertest is for the tests of workflows: an engine in a line, faults
// by a script, and expectations that read as sentences.
//
// # An engine in a line
//
// [New] starts an engine and stops it when the test ends. Faults are options:
//
//	func TestALostAnswerChargesOnce(t *testing.T) {
//		s := taskertest.New(t, templates, handlers, taskertest.OnMemory(t),
//			taskertest.LoseAnswer("charge", 2))
//		s.Expect(s.Submit("shop/order", input)).Complete().
//			Step("charge").Completed().After(3)
//		…
//	}
//
// An expectation that is not met shows what happened to the task, see
// [History]. [Engine.Expect] waits until the task has ended, [Engine.Await]
// until a step is in a state; no test needs to sleep.
//
// # Faults
//
// [Fail] fails attempts before their work, [LoseAnswer] after it, [FailForGood]
// and [Panic] leave no other attempt, [Hang] takes its time. They stand around
// the handlers, which know nothing of them. To a fault, "charge" is the step
// and "undo:charge" its undoing.
//
// [CrashIn] ends the engine as SIGKILL would, when the step has done its work and
// nothing of that is recorded, [CrashAfter] right after the record, and
// [Engine.Crash] at any other moment. [Engine.TakeOver] starts the engine that
// goes on with the work.
//
// # Stores
//
// [OnMemory] is a store in memory, which also works within a testing/synctest
// bubble: there a retry that waits for an hour takes no time.
//
// [OnPostgres] is a store in PostgreSQL, in a schema of the test's own, so that
// all tests may be parallel. [PostgresURL] tells how a server is found.
// [OnEveryStore] runs a test on both.
package taskertest
