// Mdcheck holds the markdown of a repository to its code: it reports where a
// fenced block, a picture, an output or a number is no longer true, and with
// -fix makes it true again.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/tasker-systems/tasker-go/tools/mdcheck/mdcheck"
)

func main() {
	// A check is over before it pays to collect garbage, unless it grows large.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(1 << 30)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// exitUsage is the code for what was asked wrongly or cannot be read; the
// others are the report's.
const exitUsage = 2

const usage = `usage: mdcheck [flags] [files or folders]

Holds fenced blocks, pictures, outputs, values, links and names in markdown to
what they show. Without files it checks the whole module.

  mdcheck                        what differs, with diffs
  mdcheck -fix posts/01-ecommerce
  mdcheck -run                   the transcripts and test values too
  mdcheck -run -fix README.md
  mdcheck -diff | git apply      the same as -fix
  mdcheck -coverage -min 90      what the posts never show of their handlers
  mdcheck -watch                 again whenever a file changes

`

const exitCodes = `
Exit codes: 0 clean, 1 something differs, 2 wrong usage, an unreadable file or a broken directive.
`

// asked is what the command line asks for.
type asked struct {
	mdcheck.Options
	diff, coverage, watch, noCache bool
	format                         string
	paths                          []string
}

func parse(args []string, help io.Writer) (*asked, error) {
	a := &asked{}
	flags := flag.NewFlagSet("mdcheck", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // an error is one line
	flags.BoolVar(&a.Fix, "fix", false, "rewrite what differs: only the insides of fences, values, source lines and renamed symbols")
	flags.BoolVar(&a.diff, "diff", false, "print a patch with what -fix would do, and change nothing")
	flags.BoolVar(&a.Run, "run", false, "run the transcripts and the tests that report values")
	flags.BoolVar(&a.coverage, "coverage", false, "list what each post never shows of its handlers")
	flags.Float64Var(&a.MinCoverage, "min", 0, "the least `PERCENT` that each post must show of its handlers")
	flags.BoolVar(&a.watch, "watch", false, "check again whenever a file changes, until interrupted")
	flags.StringVar(&a.format, "format", "text", "`FORM` of the report: text, json, sarif or github")
	flags.BoolVar(&a.noCache, "no-cache", false, "keep nothing and use nothing of earlier runs")
	if err := flags.Parse(args); err == flag.ErrHelp {
		fmt.Fprint(help, usage)
		flags.SetOutput(help)
		flags.PrintDefaults()
		fmt.Fprint(help, exitCodes)
		return nil, err
	} else if err != nil {
		return nil, err
	}
	a.paths = flags.Args()
	late := slices.IndexFunc(a.paths, func(path string) bool { return strings.HasPrefix(path, "-") })
	switch {
	case late >= 0:
		return nil, fmt.Errorf("%s is behind a file; flags come first, and a file of that name is ./%[1]s", a.paths[late])
	case formats[a.format] == nil:
		return nil, fmt.Errorf("there is no format %q; there is text, json, sarif, github", a.format)
	case a.diff && a.Fix:
		return nil, fmt.Errorf("-diff shows what -fix does; take one of them")
	case a.diff && (a.watch || a.format != "text"):
		return nil, fmt.Errorf("-diff prints a patch and ends; it goes with neither -watch nor -format")
	case !(a.MinCoverage >= 0 && a.MinCoverage <= 100):
		return nil, fmt.Errorf("-min is a percentage, from 0 to 100")
	}
	if !a.noCache {
		if dir, err := os.UserCacheDir(); err == nil {
			a.CacheDir = filepath.Join(dir, "tasker-mdcheck")
		}
	}
	return a, nil
}

// run is the whole program, but for the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a, err := parse(args, stdout)
	switch {
	case err == flag.ErrHelp:
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "mdcheck: %s; -h tells more\n", err)
		return exitUsage
	}
	code, err := check(ctx, a, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "mdcheck: %s\n", err)
		return exitUsage
	}
	return code
}

func check(ctx context.Context, a *asked, stdout, stderr io.Writer) (int, error) {
	at := "."
	if len(a.paths) > 0 {
		at = a.paths[0]
	}
	repo, err := mdcheck.Open(at, a.Options)
	if err != nil {
		return 0, err
	}
	defer repo.Close()
	documents, err := repo.Documents(a.paths...)
	if err != nil {
		return 0, err
	}
	if a.watch {
		return 0, watch(ctx, a, repo, documents, stdout, stderr)
	}
	report := repo.Check(ctx, documents)
	v := view{Report: report, repo: repo, coverage: a.coverage}
	if a.diff {
		v.patch(stdout, stderr)
		return report.Code(), nil
	}
	return report.Code(), formats[a.format](&v, stdout)
}
