// Bench times mdcheck and embedmd, side by side in one run, on the same 4,000
// blocks: 200 documents with 20 blocks each, from 200 Go files. It also times
// what a watching mdcheck does when one of the Go files changes.
//
//	go run ./tools/mdcheck/bench
//
// The tools take turns, so that what else the machine does meets both. The
// figures are the best and the middle of all rounds, in milliseconds, with the
// start of the process. Without -embedmd the peer is built with go install.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/tasker-systems/tasker-go/tools/mdcheck/mdcheck"
)

func main() {
	rounds := flag.Int("rounds", 15, "how often each tool runs")
	peer := flag.String("embedmd", "", "the `FILE` of an embedmd that is there already")
	flag.Parse()
	if err := measure(*rounds, *peer); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %s\n", err)
		os.Exit(1)
	}
}

// contender is one way to check a corpus.
type contender struct {
	name   string
	dir    string
	env    []string
	args   []string
	before func() error
	times  []time.Duration
}

func measure(rounds int, peer string) error {
	work, err := os.MkdirTemp("", "mdcheck-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	own := filepath.Join(work, "mdcheck")
	if err := command("", nil, "go", "build", "-o", own, "github.com/tasker-systems/tasker-go/tools/mdcheck"); err != nil {
		return err
	}
	if peer == "" {
		peer = filepath.Join(work, "embedmd")
		if err := command("", []string{"GOBIN=" + work}, "go", "install", "github.com/campoy/embedmd@latest"); err != nil {
			return err
		}
	}
	for _, d := range dialects {
		if err := (corpus{documents: 200, snippets: 20, sources: 200}).write(filepath.Join(work, d.name+"-corpus"), d); err != nil {
			return err
		}
	}
	ours, theirs := filepath.Join(work, "mdcheck-corpus"), filepath.Join(work, "embedmd-corpus")
	posts, err := filepath.Glob(filepath.Join(theirs, "posts", "*.md"))
	if err != nil {
		return err
	}
	cacheDir := filepath.Join(work, "cache")
	env := []string{"XDG_CACHE_HOME=" + cacheDir, "HOME=" + work}
	contenders := []*contender{
		{name: "mdcheck, cold", dir: ours, env: env, args: []string{own}, before: func() error { return os.RemoveAll(cacheDir) }},
		{name: "mdcheck, warm", dir: ours, env: env, args: []string{own}},
		{name: "embedmd", dir: theirs, args: append([]string{peer, "-d"}, posts...)},
	}
	for range rounds {
		for _, c := range contenders {
			if err := c.run(); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	watched, err := watch(ours, rounds)
	if err != nil {
		return err
	}
	fmt.Printf("4,000 blocks in 200 documents from 200 Go files; %d processors, %d rounds\n\n", runtime.GOMAXPROCS(0), rounds)
	fmt.Printf("%-27s %8s %8s\n", "", "best", "middle")
	for _, c := range append(contenders, watched...) {
		slices.Sort(c.times)
		fmt.Printf("%-27s %6.1fms %6.1fms\n", c.name, ms(c.times[0]), ms(c.times[len(c.times)/2]))
	}
	return nil
}

// watch times a check after a change, from the moment that it is known.
func watch(dir string, rounds int) ([]*contender, error) {
	repo, err := mdcheck.Open(dir, mdcheck.Options{})
	if err != nil {
		return nil, err
	}
	defer repo.Close()
	documents, err := repo.Documents(dir)
	if err != nil {
		return nil, err
	}
	if code := repo.Check(context.Background(), documents).Code(); code != 0 {
		return nil, fmt.Errorf("the corpus is not clean: exit %d", code)
	}
	one := &contender{name: "mdcheck, watching: document"}
	many := &contender{name: "mdcheck, watching: Go file"}
	for range rounds {
		for c, file := range map[*contender]string{one: "posts/p000.md", many: "src/f000.go"} {
			began := time.Now()
			repo.Check(context.Background(), repo.Changed(file))
			c.times = append(c.times, time.Since(began))
		}
	}
	return []*contender{one, many}, nil
}

func (c *contender) run() error {
	if c.before != nil {
		if err := c.before(); err != nil {
			return err
		}
	}
	began := time.Now()
	err := command(c.dir, c.env, c.args...)
	c.times = append(c.times, time.Since(began))
	return err
}

func command(dir string, env []string, args ...string) error {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", args[0], err, out)
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
