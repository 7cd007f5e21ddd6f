package main

import (
	"context"
	"sync"

	"github.com/tasker-systems/tasker-go/tasker"
)

// sandbox stands in for a service until there is a real one. It forgets with
// the process, and a real one does not.
type sandbox struct {
	mu     sync.Mutex
	done   map[string]any // by key
	closed map[string]bool
}

func newSandbox() *sandbox { return &sandbox{done: map[string]any{}, closed: map[string]bool{}} }

func (s *sandbox) Do(_ context.Context, key string, what any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed[key] {
		return tasker.Permanent("TAKEN_BACK", "what this key stood for was taken back")
	}
	s.done[key] = what
	return nil
}

func (s *sandbox) TakeBack(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed[key] = true
	delete(s.done, key)
	return nil
}

func (s *sandbox) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.done)
}
