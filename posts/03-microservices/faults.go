package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fault is how a service fails: what -service NAME=FAULT says.
type fault struct {
	kind       string
	text       string // as it was written
	left       int    // requests that it strikes; forever for all
	status     int
	retryAfter time.Duration
	delay      time.Duration
	field      string
}

// The kinds of faults.
const (
	faultNone    = ""
	faultStatus  = "status"  // answers with a status, and does nothing
	faultDown    = "down"    // cuts the connection, and does nothing
	faultLost    = "lost"    // does its work, and cuts the connection
	faultSlow    = "slow"    // waits, then does its work
	faultWithout = "without" // leaves a field out of its answer
)

const forever = -1

const faultHelp = `how a service fails: user, billing, preferences or notification.
                                      FAULT strikes the first N requests, or all without xN:
                                        503xN, 429xN:2s   answers that status, :2s with a Retry-After
                                        downxN            cuts the connection, and does nothing
                                        lostxN            does its work, and the answer is lost
                                        slowxN:2s         takes that long
                                        withoutxN:FIELD   leaves that field out of the answer
                                      Given again, the next fault comes when the first is used up`

var faultForm = regexp.MustCompile(`^([a-z]+)=(\d{3}|down|lost|slow|without)(?:x(\d+))?(?::(.+))?$`)

// parseFault reads NAME=FAULT.
func parseFault(text string) (service string, f fault, err error) {
	parts := faultForm.FindStringSubmatch(text)
	if parts == nil {
		return "", f, errors.New("it must be NAME=FAULT, such as billing=503x2")
	}
	service, kind, times, argument := parts[1], parts[2], parts[3], parts[4]
	if !slices.Contains(serviceNames, service) {
		return "", f, fmt.Errorf("there is no service %q, but %s", service, strings.Join(serviceNames, ", "))
	}
	f = fault{kind: kind, text: kind, left: forever}
	if times != "" {
		if f.left, err = strconv.Atoi(times); err != nil || f.left < 1 {
			return "", f, fmt.Errorf("x%s: it must strike at least one request", times)
		}
	}
	return service, f, f.take(argument)
}

// take reads what comes after the colon.
func (f *fault) take(argument string) (err error) {
	switch f.kind {
	case faultDown, faultLost:
		if argument != "" {
			return fmt.Errorf("%s takes nothing after a colon", f.kind)
		}
	case faultSlow:
		if f.delay, err = time.ParseDuration(argument); err != nil || f.delay <= 0 {
			return fmt.Errorf("slow needs to know how long: slow:2s")
		}
	case faultWithout:
		if f.field = argument; argument == "" {
			return fmt.Errorf("without needs a field: without:billing_id")
		}
	default:
		return f.takeStatus(argument)
	}
	return nil
}

func (f *fault) takeStatus(argument string) (err error) {
	f.status, _ = strconv.Atoi(f.kind)
	f.kind = faultStatus
	if f.status < 200 || f.status > 599 {
		return fmt.Errorf("%d is no status that a server answers with; they go from 200 to 599", f.status)
	}
	if argument == "" {
		return nil
	}
	f.retryAfter, err = time.ParseDuration(argument)
	if err != nil || f.retryAfter <= 0 || f.retryAfter%time.Second != 0 {
		return fmt.Errorf("a Retry-After is in whole seconds: %d:2s", f.status)
	}
	return nil
}

func checkFault(text string) error {
	_, _, err := parseFault(text)
	return err
}

// script is what a service goes through, fault by fault. All tasks of the
// process share it.
type script struct {
	mu     sync.Mutex
	faults []fault
}

// scriptFor picks a service's faults from all values of -service, which were
// checked before.
func scriptFor(service string, values []string) *script {
	s := &script{}
	for _, value := range values {
		if name, f, err := parseFault(value); err == nil && name == service {
			s.faults = append(s.faults, f)
		}
	}
	return s
}

// next is the fault that strikes the next request; a zero one for none.
func (s *script) next() fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.faults) == 0 {
		return fault{}
	}
	f := s.faults[0]
	if f.left != forever {
		if s.faults[0].left--; s.faults[0].left == 0 {
			s.faults = s.faults[1:]
		}
	}
	return f
}
