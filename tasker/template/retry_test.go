package template

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

func TestTheWaitGrowsByTheBackoffsShape(t *testing.T) {
	t.Parallel()
	want := map[Backoff][]time.Duration{
		NoBackoff:   {0, 0, 0, 0, 0, 0},
		Linear:      {100, 200, 300, 400, 500, 600},
		Exponential: {100, 200, 400, 800, 1000, 1000},
		Fibonacci:   {100, 100, 200, 300, 500, 800},
	}
	for backoff, waits := range want {
		r := Retry{Backoff: backoff, Base: 100 * time.Millisecond, Max: time.Second}
		for i, w := range waits {
			if got := r.Wait(i+1, 0, 0, nil); got != w*time.Millisecond {
				t.Errorf("%s: failure %d waits %v, want %v", backoff, i+1, got, w*time.Millisecond)
			}
		}
	}
}

func TestNoWaitOverflowsOrPassesItsCap(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	chance := rand.New(rand.NewPCG(seed, 0))
	for range 100_000 {
		r := Retry{
			Backoff: []Backoff{NoBackoff, Linear, Exponential, Fibonacci}[chance.IntN(4)],
			Base:    time.Duration(chance.Int64N(int64(time.Hour))),
			Jitter:  chance.Float64(),
		}
		r.Max = r.Base + time.Duration(chance.Int64N(int64(24*time.Hour)))
		n := 1 + chance.IntN(math.MaxInt32)
		if chance.IntN(2) == 0 {
			n = 1 + chance.IntN(100)
		}
		if d := r.Wait(n, 0, 0, chance); d < 0 || d > r.Max {
			t.Fatalf("seed %d: failure %d of %+v waits %v", seed, n, r, d)
		}
		if d := r.Wait(n, time.Hour, 20*time.Millisecond, chance); d > 20*time.Millisecond {
			t.Fatalf("seed %d: with every wait capped at 20 ms, failure %d of %+v waits %v", seed, n, r, d)
		}
	}
}

func TestJitterSpreadsTheWaitsToBothSides(t *testing.T) {
	t.Parallel()
	r := Retry{Backoff: Linear, Base: time.Second, Max: time.Minute, Jitter: 0.1}
	chance := rand.New(rand.NewPCG(7, 7))
	low, high := time.Hour, time.Duration(0)
	for range 1000 {
		d := r.Wait(1, 0, 0, chance)
		low, high = min(low, d), max(high, d)
	}
	if low < 900*time.Millisecond || low > 920*time.Millisecond || high > 1100*time.Millisecond || high < 1080*time.Millisecond {
		t.Errorf("waits of a second with 10 %% jitter lie between %v and %v", low, high)
	}
}
