package main

import (
	"context"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Dashboard is what executives look at in the morning. Unlike the rest of the
// world it is shared by all tasks of a run: a second task of the same pipeline
// finds what the first has published.
type Dashboard struct{ pages *post.Kept[Pages] }

// Pages is what the dashboard remembers, by key.
type Pages map[string]Page

// Page is the output of one pipeline for one window of days.
type Page struct {
	Insights     Insights
	PublishedBy  tasker.ID // the task
	Publications int       // how often it was put there, the last one counts
}

func newDashboard(w *post.World) *Dashboard {
	return &Dashboard{post.Keep(w, "dashboard", func() Pages { return Pages{} })}
}

// everybody is whose world the dashboard is in.
var everybody tasker.ID

// outputKey names what a pipeline makes of a window. A task's own key would
// not do: a second task of the same pipeline has another one.
func outputKey(pipelineID string, window DateRange) string {
	return pipelineID + "/" + window.String()
}

// Publish puts a page where the one of the same key was.
func (d *Dashboard) Publish(ctx context.Context, key string, insights Insights) error {
	return d.pages.DoIn(ctx, everybody, func(pages *Pages) error {
		page := Page{Insights: insights, Publications: (*pages)[key].Publications + 1}
		if a := tasker.Current(ctx); a != nil {
			page.PublishedBy = a.TaskID
		}
		(*pages)[key] = page
		return nil
	})
}
