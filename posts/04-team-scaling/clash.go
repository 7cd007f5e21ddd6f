package main

import (
	"fmt"
	"testing/fstest"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// newcomers are a team that deploys what is taken. With the one global map that
// this company began with nobody would have noticed: see fragile.go.
var newcomers = map[string]Team{
	"template": {
		Namespace: "fraud",
		Templates: fstest.MapFS{"templates/process_refund.yaml": {Data: []byte(`
name: process_refund
namespace_name: payments
version: 2.1.0
steps: [{name: refund, handler: {callable: fraud.InstantRefundHandler}}]
`)}},
		Handlers: func(*post.World) tasker.Handlers {
			return tasker.Handlers{"fraud.InstantRefundHandler": tasker.Handler{}}
		},
	},
	"handler": {
		Namespace: "fraud",
		Templates: fstest.MapFS{"templates/refund_fast.yaml": {Data: []byte(`
name: refund_fast
namespace_name: payments
version: 1.0.0
steps: [{name: refund, handler: {callable: payments.ProcessGatewayRefundHandler}}]
`)}},
		Handlers: func(*post.World) tasker.Handlers {
			return tasker.Handlers{"payments.ProcessGatewayRefundHandler": tasker.Handler{}}
		},
	},
}

// clashFlag has a newcomer deploy beside the teams, which is refused before
// anything runs.
var clashFlag = post.Flag{
	Name: "clash", Value: "WHAT",
	About: "somebody deploys a template or a handler that is there already; the start is refused",
	Check: func(what string) error {
		newcomer, ok := newcomers[what]
		if !ok {
			return fmt.Errorf("there is template and handler")
		}
		return clashes(append(teams[:len(teams):len(teams)], newcomer))
	},
}
