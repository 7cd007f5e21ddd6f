package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/telemetry"
)

func TestEveryLogLineSaysWhereItBelongs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var own bytes.Buffer
		logger := slog.New(telemetry.NewLogHandler(slog.NewJSONHandler(&own, nil)))
		speaking := tasker.Step(func(ctx context.Context, _ struct{}) (any, error) {
			logger.With("amount", 5).WithGroup("card").With("brand", "any").InfoContext(ctx, "charging", "digits", 4)
			return nil, nil
		})
		w := watch(t, tasker.Handlers{"pay": speaking, "stock": failing(errors.New("no"))}).start()
		w.await(w.submit(t.Context()))
		w.stop()
		want := map[string]string{ // line: the attempt's span
			"tasker.step.completed": "cart pay stock mail", "tasker.step.retrying": "stock", "tasker.task.finished": "-", "charging": "pay",
		}
		seen := map[string][]string{}
		d := json.NewDecoder(io.MultiReader(w.logs, &own))
		for d.More() {
			var line struct {
				Msg           string
				CorrelationID string `json:"correlation_id"`
				Namespace     string
				Task          string
				Step          string
				Attempt       int
				TraceID       string `json:"trace_id"`
				SpanID        string `json:"span_id"`
				Amount        int
				Card          map[string]any
			}
			if err := d.Decode(&line); err != nil {
				t.Fatal(err)
			}
			span := w.span("tasker.task.submit")
			if line.Step != "" {
				span = w.span("tasker.step.execute", step(line.Step, line.Attempt)...)
			} else {
				line.Step = "-"
			}
			if line.CorrelationID != "checkout_1" || line.Namespace != "shop" || line.Task == "" || line.TraceID != span.SpanContext().TraceID().String() || line.SpanID != span.SpanContext().SpanID().String() {
				t.Errorf("a line is not told from others: %+v", line)
			}
			if line.Msg == "charging" && (line.Amount != 5 || !maps.Equal(line.Card, map[string]any{"brand": "any", "digits": 4.0})) {
				t.Errorf("what the handler says is not where it said it: %+v", line)
			}
			seen[line.Msg] = append(seen[line.Msg], line.Step)
		}
		for msg, steps := range want {
			wanted := strings.Fields(steps)
			slices.Sort(wanted)
			slices.Sort(seen[msg])
			if !slices.Equal(seen[msg], wanted) {
				t.Errorf("%s is said of %v, want %v", msg, seen[msg], wanted)
			}
		}
	})
}
