package main

import (
	"errors"
	"net/http"
	"time"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/httpverdict"
)

// What an answer means is decided here, once for all four services:
//
//	2xx        fine
//	400 422    permanent, CLIENT_VALIDATION_ERROR: the request is wrong and stays wrong
//	401 403    permanent, AUTH_ERROR
//	404        permanent, RESOURCE_NOT_FOUND
//	409        permanent, HTTP_409: it is there already, and the handler looks at what is there
//	429        retryable, HTTP_429, after the time that the service names, or a default
//	the rest   retryable, HTTP_ and the status
//
// A request without an answer is judged by [httpverdict.OfError]: retryable,
// HTTP_TIMEOUT or NETWORK_ERROR.
const (
	codeValidation = "CLIENT_VALIDATION_ERROR"
	codeAuth       = "AUTH_ERROR"
	codeNotFound   = "RESOURCE_NOT_FOUND"
	codeUnreadable = "UNREADABLE_ANSWER" // a success whose body is no JSON
)

// permanent are the statuses that no other attempt changes.
var permanent = map[int]string{
	http.StatusBadRequest:          codeValidation,
	http.StatusUnprocessableEntity: codeValidation,
	http.StatusUnauthorized:        codeAuth,
	http.StatusForbidden:           codeAuth,
	http.StatusNotFound:            codeNotFound,
	http.StatusConflict:            "HTTP_409",
}

// verdictOf is the verdict on an answer; nil for 2xx. A 429 that does not say
// when to come back gets the wait.
func verdictOf(response *http.Response, wait time.Duration) error {
	var v *tasker.Error
	if !errors.As(httpverdict.Of(response), &v) {
		return nil
	}
	if code, found := permanent[response.StatusCode]; found {
		v.Kind, v.Code = tasker.KindPermanent, code
		return v
	}
	v.Kind = tasker.KindRetryable
	saysNow := response.Header.Get("Retry-After") == "0"
	if response.StatusCode == http.StatusTooManyRequests && v.RetryAfter == 0 && !saysNow {
		v.RetryAfter = wait
	}
	return v
}

// statusOf is the status that a verdict is about; 0 where there was no answer.
func statusOf(err error) int {
	var v *tasker.Error
	if !errors.As(err, &v) {
		return 0
	}
	status, _ := v.Context["status"].(int)
	return status
}

// codeOf is a verdict's code; "" for what is none.
func codeOf(err error) string {
	var v *tasker.Error
	if !errors.As(err, &v) {
		return ""
	}
	return v.Code
}

// isOutage says that a service is at fault and not the request: it was
// silent, or it said so itself. A 429 is no outage: a service that counts its
// callers is up.
func isOutage(err error) bool {
	switch codeOf(err) {
	case httpverdict.CodeTimeout, httpverdict.CodeNetwork, codeUnreadable:
		return true
	default:
		return statusOf(err) >= http.StatusInternalServerError
	}
}

// mayHeal says that another attempt could succeed.
func mayHeal(err error) bool {
	var v *tasker.Error
	return errors.As(err, &v) && v.Kind == tasker.KindRetryable
}
