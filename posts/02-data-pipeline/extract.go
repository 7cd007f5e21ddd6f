package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// Extract is what every extract hands on: a reference to the rows, and the
// rows themselves where they are few. A step's result may have 1 MiB, which is
// some 10,000 rows; a reference has the same 250 bytes for any number.
type Extract[R Row] struct {
	Records []R    `json:"records"` // null where there are more than max_inline_rows
	Stored  Object `json:"stored"`
}

type extractInput struct {
	PipelineID string    `context:"pipeline_id"`
	Window     DateRange `context:"date_range"`
	Quality    Quality   `context:"quality_thresholds"`
	MaxInline  int       `initialization:"max_inline_rows"`
}

// extract reads a source, checks the rows, puts them into the archive and hands
// them on.
func extract[R Row](
	ctx context.Context, a *Archive, name string, from Source[R], in extractInput, least int,
) (rows []R, out Extract[R], err error) {
	if rows, err = from.Read(ctx, in.Window); err != nil {
		return nil, out, sourceVerdict(err)
	}
	if err = checkQuality(name, rows, least, in.Quality.MaxNullShare); err != nil {
		return nil, out, err
	}
	content, err := json.Marshal(rows)
	if err != nil {
		return nil, out, err
	}
	prefix := fmt.Sprintf("%s/%s/%s", in.PipelineID, in.Window, name)
	if out.Stored, err = a.Put(ctx, prefix, len(rows), content); err != nil {
		return nil, out, err
	}
	if len(rows) <= in.MaxInline {
		out.Records = append([]R{}, rows...) // [] and not null for none
	}
	return rows, out, nil
}

// rowsOf gives the rows of an extract, wherever they are. Without any, and
// without an object, a person has declared the step done: that leaves no result.
func rowsOf[R Row](
	ctx context.Context, a *Archive, step string, e *Extract[R],
) (rows []R, err error) {
	switch {
	case e == nil, e.Records == nil && e.Stored.Key == "":
		return nil, tasker.Permanent("MISSING_EXTRACT_RESULTS", "%s has left no rows", step).
			With("missing", []string{step})
	case e.Records != nil:
		return e.Records, nil
	}
	content, err := a.Get(ctx, e.Stored)
	if err != nil {
		return nil, err
	}
	return rows, json.Unmarshal(content, &rows)
}

// sourceVerdicts says what each answer of a source means for the step. The
// code begins with the source's name.
var sourceVerdicts = map[string]struct {
	code       string
	permanent  bool
	retryAfter time.Duration
}{
	"400":     {code: "INVALID_EXTRACTION_QUERY", permanent: true},
	"401":     {code: "AUTH_FAILED", permanent: true},
	"403":     {code: "FORBIDDEN", permanent: true},
	"404":     {code: "NOT_FOUND", permanent: true},
	"429":     {code: "RATE_LIMITED", retryAfter: 60 * time.Second},
	"503":     {code: "UNAVAILABLE"},
	"timeout": {code: "TIMEOUT"},
	"lock":    {code: "LOCKED"},
}

// sourceVerdict decides whether another attempt could help. A source that is
// down comes back; one that does not let us in wants a person. What nobody has
// thought of is worth the attempts that there are.
func sourceVerdict(err error) error {
	var answer *SourceError
	if !errors.As(err, &answer) {
		return err
	}
	v, known := sourceVerdicts[answer.Answer]
	if !known {
		v.code = "UNKNOWN_ANSWER"
	}
	verdict := tasker.Retryable
	if v.permanent {
		verdict = tasker.Permanent
	}
	code := strings.ToUpper(answer.Source) + "_" + v.code
	return verdict(code, "%w", err).After(v.retryAfter).With("source", answer.Source)
}

// noteExtract puts beside the result what whoever looks into a read asks for.
func noteExtract(ctx context.Context, operation, source string, rows int, at time.Time) {
	tasker.Annotate(ctx, "operation", operation)
	tasker.Annotate(ctx, "source", source)
	tasker.Annotate(ctx, "records_extracted", rows)
	tasker.Annotate(ctx, "extraction_time", at)
}
