// Package httpverdict turns HTTP answers and transport failures into the
// engine's verdicts, by one table for every handler.
//
//	2xx                              success
//	408 425 429 500 502 503 504      retryable
//	other 5xx, but not 501 and 505   retryable
//	3xx with a Retry-After           retryable
//	everything else                  permanent
//
// The code is HTTP_ and the status, such as HTTP_429, and the context has
// {"status": 429}. A Retry-After is kept with 429, 503 and 3xx. A handler to
// which a status means something else looks at it first: 409 is success where
// the request had created the thing already.
package httpverdict

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
)

// The codes of requests that got no answer.
const (
	CodeTimeout     = "HTTP_TIMEOUT"         // retryable: it took longer than the client or the context allows
	CodeNetwork     = "NETWORK_ERROR"        // retryable: refused, reset, unreachable, no such host, cut off
	CodeCertificate = "TLS_CERTIFICATE"      // permanent: the server's certificate does not verify
	CodeRequest     = "HTTP_REQUEST_INVALID" // permanent: no such request can be sent
)

// MaxRetryAfter bounds what a server can ask for.
const MaxRetryAfter = 30 * 24 * time.Hour

// rule is what the statuses from low to high mean.
type rule struct {
	low, high  int
	ok         bool
	retry      bool
	retryAfter bool // a Retry-After is kept, and makes the status retryable
}

// The first rule that has the status holds. The names are those of RFC 9110
// section 15; 425 is RFC 8470, 429 is RFC 6585. RFC 9110 section 10.2.3 gives
// Retry-After a meaning with 503 and 3xx, RFC 6585 section 4 with 429.
var rules = []rule{
	{low: 200, high: 299, ok: true},
	{low: 300, high: 399, retryAfter: true},
	{low: 408, high: 408, retry: true}, // Request Timeout
	{low: 425, high: 425, retry: true}, // Too Early
	{low: 429, high: 429, retry: true, retryAfter: true},
	{low: 501, high: 501}, // Not Implemented
	{low: 503, high: 503, retry: true, retryAfter: true},
	{low: 505, high: 505}, // HTTP Version Not Supported
	{low: 500, high: 599, retry: true},
}

// Of gives the verdict on an answer: nil for 2xx, a [*tasker.Error] for the
// rest. It does not touch the body; closing it stays with the caller.
func Of(resp *http.Response) error {
	err := OfStatus(resp.StatusCode, resp.Header, time.Now())
	var verdict *tasker.Error
	if errors.As(err, &verdict) && resp.Request != nil && resp.Request.URL != nil {
		verdict.Message = fmt.Sprintf("%s %s: %s", resp.Request.Method, withoutSecrets(resp.Request.URL), verdict.Message)
	}
	return err
}

// OfStatus gives the verdict on a status and its header, which may be nil.
// Now is what a Retry-After with a date is measured from.
func OfStatus(status int, header http.Header, now time.Time) error {
	var r rule
	for _, candidate := range rules {
		if candidate.low <= status && status <= candidate.high {
			r = candidate
			break
		}
	}
	if r.ok {
		return nil
	}
	wait, asked := time.Duration(0), false
	if r.retryAfter {
		wait, asked = retryAfter(header.Get("Retry-After"), now)
	}
	verdict := tasker.Permanent
	if r.retry || asked {
		verdict = tasker.Retryable
	}
	text := http.StatusText(status)
	if text == "" {
		text = "unknown status"
	}
	return verdict(fmt.Sprintf("HTTP_%d", status), "the server answered %d %s", status, text).After(wait).With("status", status)
}

// retryAfter reads seconds or an HTTP date (RFC 9110 section 10.2.3). A date
// that has passed is no wait; what is neither counts as not there.
func retryAfter(value string, now time.Time) (wait time.Duration, ok bool) {
	value = strings.TrimSpace(value)
	if value != "" && strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(MaxRetryAfter/time.Second) {
			return MaxRetryAfter, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(date.Sub(now), 0), MaxRetryAfter), true
}

// OfError gives the verdict on a request that got no answer, or whose answer
// broke off. A nil error stays nil; a cancelled context and an error that is a
// verdict already come back as they are. What is left out of the message is
// the query of the URL, where keys and tokens are.
func OfError(err error) error {
	var verdict *tasker.Error
	if err == nil || isEnd(err) || errors.As(err, &verdict) {
		return err
	}
	cause, request := err, ""
	var failed *url.Error // what http.Client returns
	if errors.As(err, &failed) {
		cause = failed.Err
		if at, parseErr := url.Parse(failed.URL); parseErr == nil {
			request = strings.ToUpper(failed.Op) + " " + withoutSecrets(at) + ": "
		}
	}
	var timeout net.Error
	switch {
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return tasker.Retryable(CodeTimeout, "%s%w", request, cause)
	case isCertificate(err):
		return tasker.Permanent(CodeCertificate, "%s%w", request, cause)
	case failed != nil && failed.Op == "parse", errors.Is(err, http.ErrSchemeMismatch), isUnsendable(cause):
		return tasker.Permanent(CodeRequest, "%s%w", request, cause)
	default:
		return tasker.Retryable(CodeNetwork, "%s%w", request, cause)
	}
}

// isEnd says that the request was given up and did not fail. net/http returns
// the cause that a context was cancelled with, which is the engine's own.
func isEnd(err error) bool {
	for _, end := range []error{context.Canceled, tasker.ErrCancelled, tasker.ErrLeaseLost, tasker.ErrStopping} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

func isCertificate(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}

// isUnsendable knows the errors of net/http that have no type.
func isUnsendable(err error) bool {
	for _, text := range []string{"unsupported protocol scheme", "no Host in request URL", "invalid header field", "invalid method", "stopped after 10 redirects"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// withoutSecrets is a URL without user, query and fragment.
func withoutSecrets(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Opaque: u.Opaque, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
