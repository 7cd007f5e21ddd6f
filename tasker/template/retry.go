package template

import (
	"math/rand/v2"
	"time"
)

// maxRetryAfter bounds the wait that a handler may ask for.
const maxRetryAfter = time.Hour

// Wait is the time from failure n (from 1) to the next attempt: the backoff,
// shifted by chance, but at least what the handler asked for, and at most
// limit where one is set.
func (r Retry) Wait(n int, asked, limit time.Duration, chance *rand.Rand) time.Duration {
	d := min(r.backoff(n), r.Max)
	if r.Jitter > 0 && d > 0 {
		d = time.Duration(float64(d) * (1 + r.Jitter*(2*chance.Float64()-1)))
	}
	d = max(min(d, r.Max), min(asked, maxRetryAfter))
	if limit > 0 {
		d = min(d, limit)
	}
	return d
}

// backoff grows from Base without overflow: it stops at Max.
func (r Retry) backoff(n int) time.Duration {
	switch r.Backoff {
	case NoBackoff:
		return 0
	case Linear:
		if r.Base > 0 && time.Duration(n) > r.Max/r.Base {
			return r.Max
		}
		return r.Base * time.Duration(n)
	case Fibonacci:
		d, following := r.Base, r.Base
		for ; n > 1 && d < r.Max; n-- {
			d, following = following, d+following
		}
		return d
	default:
		d := r.Base
		for ; n > 1 && d < r.Max; n-- {
			d *= 2
		}
		return d
	}
}
