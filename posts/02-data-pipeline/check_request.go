package main

import (
	"context"
	"encoding/json"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/payload"
)

// Day is a day as 2025-11-30, so that days compare as texts do.
type Day string

// DateRange is a window of days. Both ends count.
type DateRange struct {
	Start Day `json:"start_date"`
	End   Day `json:"end_date"`
}

// Has says whether a day is in the window.
func (r DateRange) Has(d Day) bool { return r.Start <= d && d <= r.End }

func (r DateRange) String() string { return string(r.Start + ".." + r.End) }

type requestInput struct {
	PipelineID string          `context:"pipeline_id"`
	Window     DateRange       `context:"date_range"`
	Wanted     json.RawMessage `context:"quality_thresholds"`
	Defaults   Quality         `initialization:"quality_thresholds"`
}

// Request is what a run goes by, once nothing is left open.
type Request struct {
	PipelineID string  `json:"pipeline_id"`
	Quality    Quality `json:"quality_thresholds"`
}

// CheckRequest runs when a run is submitted. It refuses a window that ends
// before it begins, which no schema can see, and fills in what was not said.
// A run without an id is named after its window: asking for the same days
// again is the same pipeline.
func (p *Pipeline) CheckRequest(_ context.Context, in requestInput) (Request, error) {
	if in.Window.Start > in.Window.End {
		return Request{}, tasker.Permanent("INVALID_DATE_RANGE",
			"date_range ends on %s, before it begins on %s", in.Window.End, in.Window.Start)
	}
	request := Request{PipelineID: in.PipelineID, Quality: in.Defaults}
	if request.PipelineID == "" {
		request.PipelineID = string("analytics_" + in.Window.Start + "_" + in.Window.End)
	}
	if in.Wanted == nil {
		return request, nil
	}
	return request, json.Unmarshal(payload.PlainIntegers(in.Wanted), &request.Quality) // over the defaults
}
