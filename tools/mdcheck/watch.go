package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/tasker-systems/tasker-go/tools/mdcheck/mdcheck"
)

// quiet is how long nothing must change before a check begins: an editor saves
// in several steps.
const quiet = 5 * time.Millisecond

// watch checks all documents, and then those that a change concerns, until the
// context ends.
func watch(ctx context.Context, a *asked, repo *mdcheck.Repository, documents []string, stdout, stderr io.Writer) error {
	debug.SetGCPercent(100)
	eyes, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer eyes.Close()
	if err := look(repo, eyes); err != nil {
		return err
	}
	for {
		began := time.Now()
		report := repo.Check(ctx, documents)
		v := view{Report: report, repo: repo, coverage: a.coverage}
		if err := formats[a.format](&v, stdout); err != nil {
			return err
		}
		fmt.Fprintf(stderr, "watching; this took %v\n", time.Since(began).Round(100*time.Microsecond))
		if err := look(repo, eyes); err != nil {
			return err
		}
		for documents = nil; len(documents) == 0; {
			changed, err := nextChange(ctx, repo, eyes)
			if err != nil || changed == nil {
				return err
			}
			documents = concerned(a, repo, changed)
		}
	}
}

// look watches the folders that there are now.
func look(repo *mdcheck.Repository, eyes *fsnotify.Watcher) error {
	folders, err := repo.Folders()
	if err != nil {
		return err
	}
	for _, folder := range folders {
		err := eyes.Add(folder)
		// One that has gone meanwhile, or that nobody may read, has nothing to tell.
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EMFILE) {
			return fmt.Errorf("%s cannot be watched, since the system's limit for watched folders is reached: %w; raise it (on Linux fs.inotify.max_user_watches)", folder, err)
		}
	}
	return nil
}

// concerned are the documents to check after a change: those that depend on a
// changed file, and those that are new.
func concerned(a *asked, repo *mdcheck.Repository, changed []string) []string {
	all, err := repo.Documents(a.paths...)
	if err != nil {
		return nil // in the middle of a move; the next change will tell
	}
	documents := append(repo.Changed(changed...), changed...)
	slices.Sort(documents)
	documents = slices.Compact(documents)
	return slices.DeleteFunc(documents, func(d string) bool { return !slices.Contains(all, d) })
}

// nextChange waits for files to change and then to rest, and names them as
// slash paths from the repository's root; nil when the context has ended.
func nextChange(ctx context.Context, repo *mdcheck.Repository, eyes *fsnotify.Watcher) (changed []string, err error) {
	var rest <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil, nil
		case <-rest:
			return changed, nil
		case err := <-eyes.Errors:
			return nil, err
		case event := <-eyes.Events:
			if event.Op == fsnotify.Chmod || strings.HasSuffix(event.Name, ".tmp") {
				continue
			}
			for _, name := range within(event, eyes) {
				if name, err := filepath.Rel(repo.Dir(), name); err == nil {
					changed = append(changed, filepath.ToSlash(name))
					rest = time.After(quiet)
				}
			}
		}
	}
}

// within is what an event is about: a file, or a folder that has come with all
// that is in it by then. The folder is watched from here on.
func within(event fsnotify.Event, eyes *fsnotify.Watcher) []string {
	names := []string{event.Name}
	if !event.Has(fsnotify.Create) {
		return names
	}
	if info, err := os.Stat(event.Name); err != nil || !info.IsDir() {
		return names
	}
	_ = eyes.Add(event.Name)
	entries, _ := os.ReadDir(event.Name) // what came before it was watched
	for _, e := range entries {
		names = append(names, filepath.Join(event.Name, e.Name()))
	}
	return names
}
