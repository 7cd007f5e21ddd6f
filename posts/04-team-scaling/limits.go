package main

import (
	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/customersuccess"
	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/inventory"
	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/payments"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// share gives each team a part of the process. Together they have no more
// slots than there are, so that no team's rush can take those of another: what
// comes on top waits in its own namespace.
func share(_ *post.World, config *tasker.Config) {
	config.NamespaceConcurrency = map[string]int{
		payments.Namespace:        32,
		customersuccess.Namespace: 16,
		inventory.Namespace:       8,
	}
	for _, slots := range config.NamespaceConcurrency {
		config.Concurrency += slots
	}
}
