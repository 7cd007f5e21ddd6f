package httpverdict_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/httpverdict"
)

func Example() {
	limited := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer limited.Close()
	charge := func() error {
		resp, err := http.Get(limited.URL)
		if err != nil {
			return httpverdict.OfError(err)
		}
		defer resp.Body.Close()
		return httpverdict.Of(resp)
	}
	var verdict *tasker.Error
	if errors.As(charge(), &verdict) {
		fmt.Println(verdict.Kind, verdict.Code, verdict.RetryAfter)
	}
	// Output: retryable HTTP_429 2m0s
}

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestEveryStatusHasOneVerdict(t *testing.T) {
	retryable := map[int]bool{408: true, 425: true, 429: true}
	for status := 500; status < 600; status++ {
		retryable[status] = status != 501 && status != 505
	}
	statuses := []int{-1, 0, 1, 99, 600, 999, 100000}
	for status := 100; status < 600; status++ {
		statuses = append(statuses, status)
	}
	for _, status := range statuses {
		err := httpverdict.OfStatus(status, nil, now)
		if status >= 200 && status < 300 {
			if err != nil {
				t.Errorf("%d: %v", status, err)
			}
			continue
		}
		kind := tasker.KindPermanent
		if retryable[status] {
			kind = tasker.KindRetryable
		}
		wantVerdict(t, fmt.Sprint(status), err, kind, fmt.Sprintf("HTTP_%d", status), 0)
		var verdict *tasker.Error
		if errors.As(err, &verdict) && verdict.Context["status"] != status {
			t.Errorf("%d: the context is %v", status, verdict.Context)
		}
	}
}

func TestRetryAfterIsKeptWhereItHasAMeaning(t *testing.T) {
	const permanent, retryable = tasker.KindPermanent, tasker.KindRetryable
	for _, c := range []struct {
		name   string
		status int
		value  string
		kind   tasker.ErrorKind
		wait   time.Duration
	}{
		{"seconds with 429", 429, "120", retryable, 2 * time.Minute},
		{"seconds with 503", 503, " 1 ", retryable, time.Second},
		{"no wait", 503, "0", retryable, 0},
		{"a date", 429, "Sun, 01 Mar 2026 12:01:30 GMT", retryable, 90 * time.Second},
		{"a date in the form of RFC 850", 503, "Sunday, 01-Mar-26 12:00:10 GMT", retryable, 10 * time.Second},
		{"a date in the form of asctime", 503, "Sun Mar  1 12:00:10 2026", retryable, 10 * time.Second},
		{"a date that has passed", 429, "Sun, 01 Mar 2026 11:59:00 GMT", retryable, 0},
		{"nonsense", 429, "soon", retryable, 0},
		{"a negative number", 429, "-5", retryable, 0},
		{"a fraction", 429, "1.5", retryable, 0},
		{"an exponent", 429, "1e3", retryable, 0},
		{"nothing", 429, "", retryable, 0},
		{"the longest wait", 429, "2592000", retryable, httpverdict.MaxRetryAfter},
		{"one second more", 429, "2592001", retryable, httpverdict.MaxRetryAfter},
		{"seconds beyond time.Duration", 429, "99999999999", retryable, httpverdict.MaxRetryAfter},
		{"seconds beyond int64", 429, strings.Repeat("9", 50), retryable, httpverdict.MaxRetryAfter},
		{"a date far ahead", 429, "Fri, 31 Dec 9999 23:59:59 GMT", retryable, httpverdict.MaxRetryAfter},
		{"a redirect that asks for a wait", 302, "5", retryable, 5 * time.Second},
		{"a redirect that asks for no wait", 302, "0", retryable, 0},
		{"a redirect whose date has passed", 307, "Sun, 01 Mar 2026 11:59:00 GMT", retryable, 0},
		{"a redirect with nonsense", 302, "soon", permanent, 0},
		{"a permanent status", 404, "5", permanent, 0},
		{"a conflict", 409, "5", permanent, 0},
		{"another retryable status", 500, "5", retryable, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			header := http.Header{}
			header.Set("retry-after", c.value)
			err := httpverdict.OfStatus(c.status, header, now)
			wantVerdict(t, c.value, err, c.kind, fmt.Sprintf("HTTP_%d", c.status), c.wait)
		})
	}
}

func wantVerdict(t *testing.T, what string, err error, kind tasker.ErrorKind, code string, wait time.Duration) {
	t.Helper()
	var verdict *tasker.Error
	if !errors.As(err, &verdict) {
		t.Errorf("%s: got %v, which is no verdict", what, err)
	} else if verdict.Kind != kind || verdict.Code != code || verdict.RetryAfter != wait {
		t.Errorf("%s: got %s %s after %s, want %s %s after %s\n%v", what, verdict.Kind, verdict.Code, verdict.RetryAfter, kind, code, wait, err)
	}
}

func TestAnAnswerKeepsItsBodyAndItsSecrets(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, "the body")
	}))
	defer server.Close()
	resp, err := http.Post(strings.Replace(server.URL, "//", "//ann:sesame@", 1)+"/charges?key=sesame", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	err = httpverdict.Of(resp)
	wantVerdict(t, "409", err, tasker.KindPermanent, "HTTP_409", 0)
	if want := "HTTP_409: POST " + server.URL + "/charges: the server answered 409 Conflict"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	if body, err := io.ReadAll(resp.Body); string(body) != "the body" || err != nil {
		t.Errorf("the body is %q, %v", body, err)
	}
	if err := httpverdict.Of(&http.Response{StatusCode: 204}); err != nil {
		t.Errorf("204: %v", err)
	}
	wantVerdict(t, "an answer without a request", httpverdict.Of(&http.Response{StatusCode: 500}), tasker.KindRetryable, "HTTP_500", 0)
}

// get sends a request that fails in the transport, and reads the body when it
// does not.
func get(t *testing.T, ctx context.Context, client *http.Client, url string) error {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err = io.ReadAll(resp.Body); err == nil {
		t.Fatal("the request does not fail")
	}
	return err
}

func TestTransportFailuresHaveVerdicts(t *testing.T) {
	ctx := t.Context()
	released := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-released }))
	defer silent.Close()
	defer close(released)
	trickle := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "short")
	}))
	defer trickle.Close()
	reset := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer reset.Close()
	circle := httptest.NewServer(http.RedirectHandler("/", http.StatusFound))
	defer circle.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes fail on purpose
	secure.StartTLS()
	defer secure.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "http://" + listener.Addr().String()
	listener.Close()

	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	noHost := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "nowhere.invalid", IsNotFound: true}
	}}}
	wrongName := secure.Client()
	const permanent, retryable = tasker.KindPermanent, tasker.KindRetryable
	for _, c := range []struct {
		name string
		err  error
		kind tasker.ErrorKind
		code string
	}{
		{"a refused connection", get(t, ctx, http.DefaultClient, nobody), retryable, httpverdict.CodeNetwork},
		{"a connection cut off", get(t, ctx, http.DefaultClient, reset.URL), retryable, httpverdict.CodeNetwork},
		{"a body cut off", get(t, ctx, http.DefaultClient, trickle.URL), retryable, httpverdict.CodeNetwork},
		{"a host that is not known", get(t, ctx, noHost, "http://nowhere.invalid"), retryable, httpverdict.CodeNetwork},
		{"the client's timeout", get(t, ctx, &http.Client{Timeout: 20 * time.Millisecond}, silent.URL), retryable, httpverdict.CodeTimeout},
		{"the context's deadline", get(t, short, http.DefaultClient, silent.URL), retryable, httpverdict.CodeTimeout},
		{"the transport's timeout", get(t, ctx, &http.Client{Transport: &http.Transport{ResponseHeaderTimeout: 20 * time.Millisecond}}, silent.URL), retryable, httpverdict.CodeTimeout},
		{"a bare deadline", context.DeadlineExceeded, retryable, httpverdict.CodeTimeout},
		{"a certificate of an unknown authority", get(t, ctx, http.DefaultClient, secure.URL), permanent, httpverdict.CodeCertificate},
		{"a certificate for another host", get(t, ctx, wrongName, strings.Replace(secure.URL, "127.0.0.1", "localhost", 1)), permanent, httpverdict.CodeCertificate},
		{"HTTPS to a server that speaks HTTP", get(t, ctx, http.DefaultClient, strings.Replace(circle.URL, "http:", "https:", 1)), permanent, httpverdict.CodeRequest},
		{"a scheme that is not supported", get(t, ctx, http.DefaultClient, "gopher://127.0.0.1/"), permanent, httpverdict.CodeRequest},
		{"a URL without a host", get(t, ctx, http.DefaultClient, "http:///path"), permanent, httpverdict.CodeRequest},
		{"a URL that cannot be read", get(t, ctx, http.DefaultClient, "http://ann:sesame@host:port/"), permanent, httpverdict.CodeRequest},
		{"redirects without end", get(t, ctx, http.DefaultClient, circle.URL), permanent, httpverdict.CodeRequest},
		{"some other failure", errors.New("odd"), retryable, httpverdict.CodeNetwork},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := httpverdict.OfError(c.err)
			wantVerdict(t, c.name, got, c.kind, c.code, 0)
			if strings.Contains(got.Error(), "sesame") {
				t.Errorf("the message gives a secret away: %s", got)
			}
		})
	}
	if err := httpverdict.OfError(get(t, ctx, http.DefaultClient, nobody)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the cause of %v is lost", err)
	}
}

func TestTheMessageHasTheURLWithoutItsSecrets(t *testing.T) {
	err := httpverdict.OfError(&url.Error{Op: "Post", URL: "https://ann:sesame@bank.example/charges?key=sesame#sesame", Err: io.ErrUnexpectedEOF})
	if want := "NETWORK_ERROR: POST https://bank.example/charges: unexpected EOF"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestCancellationAndVerdictsPassThrough(t *testing.T) {
	if err := httpverdict.OfError(nil); err != nil {
		t.Errorf("nil: %v", err)
	}
	verdict := fmt.Errorf("before sending: %w", tasker.Permanent("NO_TOKEN", "there is no token"))
	for _, err := range []error{context.Canceled, verdict} {
		if got := httpverdict.OfError(err); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
	for _, cause := range []error{nil, tasker.ErrCancelled, tasker.ErrLeaseLost, tasker.ErrStopping} {
		ctx, cancel := context.WithCancelCause(t.Context())
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			cancel(cause)
			<-r.Context().Done()
		}))
		err := get(t, ctx, http.DefaultClient, server.URL)
		if got := httpverdict.OfError(err); got != err {
			t.Errorf("cancelled with %v: %v became %v", cause, err, got)
		}
		server.Close()
	}
}
