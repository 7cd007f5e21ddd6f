package post

import "testing"

func TestAServiceIsMarkedAsWellOnlyWhereItsCallsGetThrough(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		service Service
		want    string
	}{
		{Service{Breaker: "closed"}, "complete"},
		{Service{Breaker: "closed", Calls: 3, Failures: 2}, "complete"},
		{Service{Breaker: "half-open", Calls: 5, Failures: 5}, "waiting"},
		{Service{Breaker: "open", Calls: 6, Failures: 5}, "error"},
		{Service{Breaker: "off", Calls: 400, Failures: 400}, "error"},
		{Service{Calls: 2}, "complete"},
	} {
		if got := c.service.state(); got != c.want {
			t.Errorf("%s: marked as %s, want %s", c.service, got, c.want)
		}
	}
}
