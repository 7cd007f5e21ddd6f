package tasker

import (
	"runtime"
	"sync"
)

// crew are the goroutines that run handlers. Each run has one to itself while
// it goes on, and a goroutine that is done takes the next run: with quick
// handlers a few of them do all the work, one after the other, and with slow
// ones there are as many as there are runs.
type crew struct {
	execute func(*run)

	mu      sync.Mutex
	comes   sync.Cond // there is a run, or nothing more to come
	waiting []*run
	idle    int
	waking  bool // one was called and has not come yet: that is enough
	over    bool
}

func newCrew(execute func(*run)) *crew {
	c := &crew{execute: execute}
	c.comes.L = &c.mu
	return c
}

// add has runs begin.
func (c *crew) add(runs ...*run) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = append(c.waiting, runs...)
	c.call()
}

// leave ends the goroutines once nothing waits.
func (c *crew) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.comes.Broadcast()
}

// call brings one more goroutine to work if there is work for it. Whoever
// takes a run calls the next one before beginning it, so that a handler that
// blocks holds up nobody.
func (c *crew) call() {
	switch {
	case len(c.waiting) == 0 || c.waking:
		return
	case c.idle > 0:
		c.comes.Signal()
	default:
		go c.work()
	}
	c.waking = true
}

// work runs handlers. The room that it keeps on its stack is what a handler
// needs that decodes its input: without it the stack would shrink while it is
// idle, and be copied as it grows again.
func (c *crew) work() {
	var room [4 << 10]byte
	for r := c.next(); r != nil; r = c.next() {
		c.execute(r) // a handler may end the goroutine
	}
	runtime.KeepAlive(&room)
}

// next gives a run, or nil when it is over.
func (c *crew) next() *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waking = false
	for len(c.waiting) == 0 {
		if c.over {
			return nil
		}
		c.idle++
		c.comes.Wait()
		c.idle--
		c.waking = false
	}
	r := c.waiting[0]
	c.waiting[0] = nil
	c.waiting = c.waiting[1:]
	c.call()
	return r
}
