package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

func templateCommands() []*cli.Command {
	return []*cli.Command{
		{Name: "validate", Usage: "read templates as strictly as the engine does, and list every mistake", ArgsUsage: "FILE...", Action: validate},
		{Name: "graph", Usage: "draw a template's steps as a Mermaid graph", ArgsUsage: "FILE", Action: graph},
	}
}

// validate lists the mistakes on standard error, a line each, as compilers do.
func validate(_ context.Context, c *cli.Command) error {
	if !c.Args().Present() {
		return usagef("validate: FILE is missing")
	}
	files, wrong := c.Args().Slice(), 0
	names := map[string]string{} // which file each template is in
	for _, file := range files {
		t, err := parse(file)
		if err == nil {
			if other := names[t.String()]; other != "" && other != file {
				err = fmt.Errorf("%s: %s is in %s already; give one of them another version", file, t, other)
			}
		}
		if err != nil {
			wrong++
			fmt.Fprintln(c.Root().ErrWriter, err)
			continue
		}
		names[t.String()] = file
		fmt.Fprintf(c.Root().Writer, "%s: %s, %d steps\n", file, t, len(t.Steps))
	}
	if wrong > 0 {
		return fmt.Errorf("validate: %d of %d files cannot be used", wrong, len(files))
	}
	return nil
}

func graph(_ context.Context, c *cli.Command) error {
	args, err := argsOf(c, "FILE")
	if err != nil {
		return err
	}
	t, err := parse(args[0])
	if err != nil {
		fmt.Fprintln(c.Root().ErrWriter, err)
		return fmt.Errorf("graph: %s cannot be drawn", args[0])
	}
	fmt.Fprint(c.Root().Writer, t.Mermaid())
	return nil
}

// parse reads a template, of which it takes no more than one may have.
func parse(file string) (*template.Template, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s is a folder; name its files, such as %s", file, filepath.Join(file, "*.yaml"))
	}
	source, err := io.ReadAll(io.LimitReader(f, template.MaxSize+1))
	if err != nil {
		return nil, err
	}
	return template.Parse(file, source)
}
