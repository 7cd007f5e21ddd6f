package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tasker-systems/tasker-go/tasker/post"
)

// incident is a bad night: what each service answers instead of doing its
// work. Neither the services' own code nor any handler knows which night it
// is.
type incident struct{ payments, stock, mail script }

// script strikes the first calls of a task to a service.
type script struct {
	strike string // hang, or an answer
	calls  int    // how many of them; always for all
}

const (
	hang        = "hang"        // no answer comes, until the caller gives up
	unavailable = "unavailable" // 503
	declined    = "declined"    // 402
	always      = 1 << 30
)

// incidents are those of -incident.
var incidents = map[string]incident{
	"none":      {},
	"hang-once": {stock: script{hang, 1}},
	"hang":      {stock: script{hang, always}},
	"pool":      {stock: script{unavailable, always}}, // its connections have run out
	"gateway":   {payments: script{unavailable, 2}},
	"down":      {payments: script{unavailable, always}},
	"declined":  {payments: script{declined, always}},
	"mail":      {mail: script{unavailable, always}},
}

// Without -incident the run's own checkout meets a stock that hangs once, and
// another customer's one that hangs for good.
const (
	ownIncident   = "hang-once"
	otherIncident = "hang"
)

func incidentNames() string {
	return strings.Join(slices.Sorted(maps.Keys(incidents)), ", ")
}

func checkIncident(name string) error {
	if _, known := incidents[name]; !known {
		return fmt.Errorf("there is no incident %q; there is %s", name, incidentNames())
	}
	return nil
}

// incidentOf is what the command line asks for; chosen is false when it asks
// for nothing.
func incidentOf(w *post.World) (name string, chosen bool) {
	if asked := w.Flag("incident"); len(asked) > 0 {
		return asked[len(asked)-1], true
	}
	return ownIncident, false
}
