package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// A server that breaks the connection at the second request, on a connection
// that has served one: what reaches it is more than what was asked, where the
// request has an idempotency key.
func TestNetHTTPRepeatsARequestWithAKeyByItself(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]int64{"some-key": 2, "": 1} {
		var arrived atomic.Int64
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if arrived.Add(1) == 2 {
				panic(http.ErrAbortHandler) // cuts the connection
			}
			_, _ = w.Write([]byte("{}"))
		}))
		t.Cleanup(server.Close)
		post := func() error {
			request, err := http.NewRequest(http.MethodPost, server.URL, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if key != "" {
				request.Header.Set(headerKey, key)
			}
			response, err := server.Client().Do(request)
			if err == nil {
				_, _ = io.Copy(io.Discard, response.Body) // else the connection is not used again
				_ = response.Body.Close()
			}
			return err
		}
		if err := post(); err != nil {
			t.Fatal(err)
		}
		err := post()
		if requests := arrived.Load() - 1; requests != want || (err == nil) != (key != "") {
			t.Errorf("with the key %q one call makes %d requests, want %d, and ends with %v", key, requests, want, err)
		}
		if key != "" {
			t.Attr("requests", strconv.FormatInt(arrived.Load()-1, 10))
		}
	}
}
