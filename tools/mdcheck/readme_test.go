package main

import (
	"testing"

	"github.com/tasker-systems/tasker-go/tools/mdcheck/mdcheck"
)

func TestTheReadmeIsTrue(t *testing.T) { mdcheck.Test(t, ".") }
