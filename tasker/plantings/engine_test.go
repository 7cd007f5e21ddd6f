package plantings

const (
	claiming    = "tasker/claim.go"
	reloading   = "tasker/reload.go"
	leasing     = "tasker/lease.go"
	flushing    = "tasker/flush.go"
	holding     = "tasker/held.go"
	working     = "tasker/worker.go"
	folding     = "tasker/task.go"
	progressing = "tasker/progress.go"
	undo        = "tasker/undo.go"

	publishing = "tasker/publish.go"
	neverLost  = "TestEveryCallOfTheStoreMayFailOnceBeforeOrAfterItTookEffect"
)

func inEngine(name string) test { return test{"tasker", name} }

var inTheEngine = []planting{
	{
		"engine: its own record is not recognised after an unclear reply",
		[]change{{reloading, "log.Records[at].ID == f.append.Record.ID", "false"}},
		inEngine(neverLost),
	}, {
		"engine: a claim is given up that was stored after all",
		[]change{{flushing, "!f.answers[i].Stored && !h.owned && !f.unclear", "!f.answers[i].Stored && !h.owned"}},
		inEngine(neverLost),
	}, {
		"engine: a task that the store says is ours is not adopted",
		[]change{{leasing, "w.adopt(o.Task)", "_ = w.adopt"}},
		inEngine("TestATaskWhoseClaimWasNeverAnsweredIsAdopted"),
	}, {
		"engine: an attempt that nobody runs is not recorded as lost",
		[]change{{reloading, "p != nil && p.State == StepInProgress && h.runs[i] == nil", "p != nil && false"}},
		inEngine("TestATaskWhoseClaimWasNeverAnsweredIsAdopted"),
	}, {
		"engine: a task that the store says is not ours is kept",
		[]change{{leasing, "!h.since.After(sent) && !owned[id]", "!owned[id] && sent.IsZero()"}},
		inEngine("TestCancelEndsRunningHandlersAndStartsNothing"),
	}, {
		"engine: a poke that a beat tells of is not looked into",
		[]change{{leasing, "h.owned && o.Poke != h.poke", "false"}},
		inEngine("TestAPokeIsLookedIntoWhileAHandlerRuns"),
	}, {
		"engine: a handler begins before its start is stored",
		[]change{{holding, "h.starting = append(h.starting, r)\n\tw.takeSlot(h, 1)", "w.takeSlot(h, 1)\n\tw.launch(r)"}},
		inEngine("TestAnAttemptIsOnRecordBeforeItsHandlerBegins"),
	}, {
		"engine: a worker goes on after its lease",
		[]change{
			{leasing, "w.now.Sub(w.beatAt) >= w.config.Lease", "w.now.Sub(w.beatAt) >= 10*w.config.Lease"},
			{working, "next := w.beatAt.Add(w.config.Lease)", "next := w.beatAt.Add(10*w.config.Lease)"},
		},
		inEngine("TestAWorkerThatLosesContactLosesItsTasksAndComesBack"),
	}, {
		"engine: the time of the next task's wake is ignored",
		[]change{{claiming, "!c.NextWake.IsZero() && wake.Before(w.claimAt)", "!c.NextWake.IsZero() && wake.IsZero()"}},
		inEngine("TestRetriesComeOnTimeToTheNanosecond"),
	}, {
		"engine: waits are counted by the worker's clock",
		[]change{{working, "return w.now.Add(w.skew)", "return w.now"}},
		inEngine("TestRetriesComeOnTimeWhateverTheStoresClockSays/-1h0m0s"),
	}, {
		"engine: a wait is over by the store's clock, which the worker has not",
		[]change{{holding, "h.wake = n.wake.Add(-w.skew)", "h.wake = n.wake"}},
		inEngine("TestRetriesComeOnTimeWhateverTheStoresClockSays/1h0m0s"),
	}, {
		"engine: a completion stands though its transaction was refused",
		[]change{{reloading, "case f != nil && f.transacts(i):", "case false:"}},
		test{"tasker/postgres", "TestATransactionWhoseRecordIsRefusedIsDoneAgain"},
	}, {
		"engine: something else is stored while a transaction is under way",
		[]change{{flushing, "h.loading || h.flight != nil ||", "h.loading ||"}},
		inEngine("TestNothingElseOfATaskIsStoredWhileItsTransactionIsUnderWay"),
	}, {
		"engine: a refused record is published",
		[]change{{flushing, "case !f.answers[i].Stored:\n", "case !f.answers[i].Stored:\n\t\t\tw.recorded(h, h.flight, w.now)\n"}},
		inEngine("TestTheObserverSeesWhatIsStoredAndNothingElse"),
	}, {
		"engine: a record is told to nobody when the answer is lost and the task was let go with it",
		[]change{{reloading, "\tif stored {\n\t\th.seq = f", "\tif stored && log.Row.Owner == w.id {\n\t\th.seq = f"}},
		inEngine(neverLost),
	}, {
		"engine: a start that no handler has seen is not taken back by a stop",
		[]change{{flushing, "case w.stopping:\n\t\tw.withdraw(r)", "case false:"}},
		inEngine("TestAStopTakesBackWhatNoHandlerHasSeen"),
	}, {
		"engine: a lost attempt is not counted",
		[]change{{progressing, "p.LostAttempts++", ""}},
		inEngine("TestLostAttemptsCountApartAndHaveTheirOwnCeiling"),
	}, {
		"engine: the limit counts lost attempts",
		[]change{{progressing, "case Lost:\n\t\tp.Attempts--", "case Lost:"}},
		inEngine("TestLostAttemptsCountApartAndHaveTheirOwnCeiling"),
	}, {
		"engine: what was done first is undone first",
		[]change{{undo, "cmp.Compare(t.Steps[b].began, t.Steps[a].began)", "cmp.Compare(t.Steps[a].began, t.Steps[b].began)"}},
		inEngine("TestWhatATaskDidIsUndoneInReverseOrderWhenItCannotComplete"),
	}, {
		"engine: a step of which nobody knows whether it took effect is not undone",
		[]change{{undo, "(s.State == StepComplete || s.unclear && s.State != StepResolved)", "s.State == StepComplete"}},
		test{"posts/01-ecommerce", "TestAFailureAfterTheChargeLeavesAChargeAndOneRefundAndTheStockAsItWas"},
	}, {
		"engine: a claim does not say what the namespace may have",
		[]change{{flushing, "a.Change, a.Limit = OwnRow, w.config.ClusterConcurrency[h.row.Namespace]", "a.Change = OwnRow"}},
		inEngine("TestTwoWorkersTogetherHaveNoMoreTasksThanTheNamespaceMay"),
	}, {
		"engine: nothing is deleted",
		[]change{{"tasker/purge.go", "w.store.Purge(ctx, w.config.Retention, limit)", "w.store.Purge(ctx, Retention{}, limit)"}},
		inEngine("TestAWorkerDeletesWhatEndedLongAgo"),
	}, {
		"engine: what an operator left to run is not woken",
		[]change{{"tasker/operate.go", "a.WakeIn = 0 // also", "_ = 0 // also"}},
		inEngine("TestAnAnswerNeedsNoWorkerAndOutlivesOne"),
	}, {
		"engine: a cancel leaves the children alone",
		[]change{{"tasker/operate.go", "if !slices.Contains(how, WithChildren) ||", "if true ||"}},
		inEngine("TestCancelReachesTheChildrenWhenAskedTo"),
	}, {
		"engine: a question has no end",
		[]change{{progressing, "p.ExpiresAt = at.Add(e.Wait.Expires)", "_ = at"}},
		inEngine("TestAQuestionThatNobodyAnswersInTimeFailsTheStep"),
	}, {
		"engine: a failure that is tried again is told to nobody",
		[]change{{publishing, `Retrying:        {"failure", "retryable_failure", "always"},`, `Retrying:        {"always"},`}},
		inEngine("TestEachConditionPublishesWhatItShouldAndNothingElse"),
	}, {
		"engine: what the schema of an event does not declare leaves with it",
		[]change{{publishing, "return declared.Schema.Keep(raw)", "return raw"}},
		inEngine("TestOnlyWhatTheSchemaDeclaresLeaves"),
	}, {
		"engine: a consumer that fails is passed by",
		[]change{{"tasker/consume.go", "if err == nil {\n\t\t\treturn nil", "if err == nil || true {\n\t\t\treturn nil"}},
		inEngine("TestAConsumerThatFailsIsAskedAgainAndNothingPassesIt"),
	}, {
		"engine: a slow subscriber is waited for",
		[]change{{"tasker/subscribe.go", "\t\tdefault:\n\t\t\tfull = append", "\t\tcase <-time.After(time.Hour):\n\t\t\tfull = append"}},
		inEngine("TestASubscriberThatBlocksFailsOrPanicsHarmsNobody"),
	}, {
		"engine: a store that cannot give so many tasks in its time is asked for as many again",
		[]change{{claiming, "w.mostClaim = max(1, min(limit, w.mostClaim)/2)", "_ = limit"}},
		inEngine("TestTasksThatAreTooMuchForTheStoreAtOnceAreClaimedAndDeletedByAndBy"),
	}, {
		"engine: the store is never asked for the oldest",
		[]change{{claiming, "q.Oldest = w.rounds", "q.Oldest = false && w.rounds"}},
		inEngine("TestWhatIsLessUrgentIsNotLeftInTheStoreForEver"),
	}, {
		"engine: a template's tasks take all room, though it is held to a few slots",
		[]change{
			{"tasker/share.go", "s.limit > 0 && holdPerSlot*s.limit", "s.limit > 0 && s.of == nil && holdPerSlot*s.limit"},
			{"tasker/share.go", "all += t.heldBack()", "_ = t"},
		},
		inEngine("TestARushThatIsHeldBackLeavesRoomForTheOthersAndKeepsItsOwnPace/a template's share"),
	}, {
		"engine: a place under a limit that a task of ours gives back is not asked for",
		[]change{{"tasker/share.go", "delete(w.refusedUntil, namespace)", "_ = 0"}},
		inEngine("TestAWorkerWhoseClaimWasRefusedTakesThePlaceThatItsOwnTaskGivesBack"),
	}, {
		"engine: tasks behind those whose claim is under way are not asked for",
		[]change{{claiming, "w.moreBehind = true", "w.moreBehind = false"}},
		inEngine("TestABacklogIsWorkedOffWithoutWaitingForAPoll"),
	},
}
