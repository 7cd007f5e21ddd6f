package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

// The fragile job fails as the story tells.

var allNovember = DateRange{"2025-11-01", "2025-11-30"}

// fragile is the pipeline whose CRM answers by a script.
func fragile(crm script) (*Pipeline, *post.World) {
	world := post.NewWorld()
	p := newPipeline(world)
	p.Customers = &simulated[Customer]{sourceCRM, readTimes[sourceCRM], customers, crm, readsOf(world, sourceCRM)}
	return p, world
}

func TestTheFragileJobReadsEverythingAgainForOneSourceThatFailed(t *testing.T) {
	t.Parallel()
	p, world := fragile(script{{"503", 2}})
	var said []string
	chat := func(text string) error { said = append(said, text); return nil }
	runs := 1
	for ; p.fragileNightly(t.Context(), allNovember, chat) != nil; runs++ {
		if f := figuresOf(world, tasker.ID{}); f.outputs != 0 {
			t.Fatalf("a job that failed has published %d pages", f.outputs)
		}
	}
	f := figuresOf(world, tasker.ID{})
	if runs != 3 || f.reads[sourceSales] != 3 || f.reads[sourceInventory] != 3 || f.reads[sourceCRM] != 3 {
		t.Errorf("it took %d runs and %v reads; the story has three of each", runs, f.reads)
	}
	if len(said) != 3 || !strings.Contains(said[0], "nightly job failed: crm answers 503") {
		t.Errorf("the chat reads %q", said)
	}
	t.Attr("sales_reads", fmt.Sprint(f.reads[sourceSales]))
	t.Attr("crm_reads", fmt.Sprint(f.reads[sourceCRM]))
}

func TestTheFragileJobFailsByItsChatAndPublishesTwiceWhenItIsRunAgain(t *testing.T) {
	t.Parallel()
	p, world := fragile(nil)
	down := func(string) error { return errors.New("the chat is down") }
	for range 2 {
		if err := p.fragileNightly(t.Context(), allNovember, down); err == nil {
			t.Fatal("the chat was not down")
		}
	}
	f := figuresOf(world, tasker.ID{})
	if f.outputs != 2 {
		t.Errorf("there are %d pages; the story has the same one twice", f.outputs)
	}
	t.Attr("pages", fmt.Sprint(f.outputs))
}

func TestTheFragileJobPublishesNonsenseThatTheGateKeepsOut(t *testing.T) {
	t.Parallel()
	p, world := fragile(script{{answerHoles, 0}})
	if err := p.fragileNightly(t.Context(), allNovember, quiet); err != nil {
		t.Fatal(err)
	}
	shownIn := func(world *post.World) (page Insights) {
		newDashboard(world).pages.Of(everybody, func(pages Pages) {
			for _, p := range pages {
				page = p.Insights
			}
		})
		return page
	}
	average := func(world *post.World) string { return string(shownIn(world).Insights[2].Metric) }
	published, nonsense := average(world), shownIn(world).Insights
	p, world = fragile(nil)
	if err := p.fragileNightly(t.Context(), allNovember, quiet); err != nil {
		t.Fatal(err)
	}
	right := average(world)
	if published != "5500.00" || right != "6100.00" {
		t.Errorf("a customer is worth %s by half of the rows and %s by all, want 5500.00 and 6100.00", published, right)
	}
	t.Attr("published", published)
	t.Attr("right", right)
	o := reader.Report(t, november("gated"), "-env", "test", "-source", "crm=holes")
	blockedAt(t, o, "extract_customer_data", "DATA_QUALITY_FAILED")
	loose, err := os.ReadFile("loose-gate.json")
	if err != nil {
		t.Fatal(err)
	}
	var page Insights
	o = reader.Report(t, string(loose), "-env", "test", "-source", "crm=holes")
	if err := json.Unmarshal(o.Step("generate_insights").Result, &page); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(nonsense, page.Insights); diff != "" {
		t.Errorf("with a loose gate the pipeline publishes something else (- job, + pipeline):\n%s", diff)
	}
}
