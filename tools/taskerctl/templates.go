package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

func templateCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "validate", Usage: "read templates as strictly as the engine does, and list every mistake", ArgsUsage: "FILE...", Action: validate},
		{Name: "graph", Usage: "draw a template's steps as a Mermaid graph", ArgsUsage: "FILE", Action: graph},
	}
}

func validate(_ context.Context, c *cli.Command) error {
	if !c.Args().Present() {
		return usagef("validate: FILE is missing")
	}
	var wrong []error
	for _, file := range c.Args().Slice() {
		t, err := parse(file)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		fmt.Fprintf(c.Root().Writer, "%s: %s, %d steps\n", file, t, len(t.Steps))
	}
	return errors.Join(wrong...)
}

func graph(_ context.Context, c *cli.Command) error {
	args, err := argsOf(c, "FILE")
	if err != nil {
		return err
	}
	t, err := parse(args[0])
	if err != nil {
		return err
	}
	fmt.Fprint(c.Root().Writer, t.Mermaid())
	return nil
}

func parse(file string) (*template.Template, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return template.Parse(file, source)
}
