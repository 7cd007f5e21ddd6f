package main

import (
	"fmt"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// figures are what a task left behind in its world.
type figures struct {
	reads        map[string]int // by source
	objects      int            // in the archive
	outputs      int            // pages of the dashboard, of all tasks of the run
	publications int            // how often one was put there
	overlap      Overlap
	watched      bool  // the monitor has seen the run
	panics, lost int64 // events, of the monitor
}

func figuresOf(w *post.World, task tasker.ID) figures {
	f := figures{reads: map[string]int{}}
	for source := range readTimes {
		readsOf(w, source).Of(task, func(n int) { f.reads[source] = n })
	}
	newArchive(w).objects.Of(task, func(objects Objects) { f.objects = len(objects) })
	newDashboard(w).pages.Of(everybody, func(pages Pages) {
		f.outputs = len(pages)
		for _, page := range pages {
			f.publications += page.Publications
		}
	})
	monitor := monitorOf(w)
	monitor.catchUp()
	f.overlap, f.watched = monitor.overlap(task)
	f.panics, f.lost = monitor.panicked.Load(), monitor.lost.Load()+monitor.unheard.Load()
	return f
}

// notes are the figures for the report.
func notes(w *post.World, task tasker.ID) map[string]any {
	f := figuresOf(w, task)
	all := map[string]any{
		"reads": f.reads, "objects": f.objects, "outputs": f.outputs, "publications": f.publications,
		"monitor": map[string]int64{"panics": f.panics, "lost_events": f.lost},
	}
	if f.watched {
		all["overlap"] = map[string]int64{
			"in_a_row_ms":     f.overlap.InARow.Milliseconds(),
			"side_by_side_ms": f.overlap.SideBySide.Milliseconds(),
			"saved_ms":        f.overlap.Saved().Milliseconds(),
		}
	}
	return all
}

// tell puts the figures into words.
func tell(w *post.World, task tasker.ID) []string {
	f := figuresOf(w, task)
	reads := func(source string) string { return post.Count(f.reads[source], "read") }
	lines := []string{fmt.Sprintf("sales took %s, inventory %s, the CRM %s",
		reads(sourceSales), reads(sourceInventory), reads(sourceCRM))}
	if f.overlap.Saved() > 0 { // a run that goes on has seen its end alone
		lines = append(lines, fmt.Sprintf(
			"in a row the steps would take %s, side by side they took %s: %s saved",
			f.overlap.InARow, f.overlap.SideBySide, f.overlap.Saved()))
	}
	if f.panics+f.lost > 0 {
		lines = append(lines, fmt.Sprintf("the monitor panicked at %s and missed %s",
			post.Count(int(f.panics), "event"), post.Count(int(f.lost), "event")))
	}
	if f.outputs == 0 {
		return append(lines, "nothing was published")
	}
	lines = append(lines, fmt.Sprintf("the dashboard has %s, by %s",
		post.Count(f.outputs, "page"), post.Count(f.publications, "publication")))
	newDashboard(w).pages.Of(everybody, func(pages Pages) {
		for key, page := range pages {
			if page.PublishedBy == task { // the last to publish it shows it
				lines = append(lines, shown(key, page.Insights)...)
			}
		}
	})
	return lines
}

// shown is a page as one reads it.
func shown(key string, page Insights) []string {
	h := page.Health
	lines := []string{fmt.Sprintf("page %s: %s, %d of %d", key, h.Rating, h.Score, h.MaxScore)}
	for _, insight := range page.Insights {
		lines = append(lines, fmt.Sprintf("  %-14s  %s", insight.Category, insight.Finding))
	}
	return lines
}
