package telemetry

import (
	"slices"
	"testing"

	"go.opentelemetry.io/otel/attribute"
)

// Labels of a kind of task or step are shared by all that is counted of it, and
// read while somewhere else something is counted for the first time.
func TestCountingLeavesTheLabelsAsTheyAre(t *testing.T) {
	t.Parallel()
	labels := []attribute.KeyValue{attribute.String("task", "order"), attribute.String("namespace", "shop")}
	before := slices.Clone(labels)
	(&tally{}).add(labels...)
	recordOptions(labels...)
	if !slices.Equal(before, labels) {
		t.Errorf("the labels are now %v", labels)
	}
}
