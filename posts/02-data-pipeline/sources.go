package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Source is a system that the pipeline reads from.
type Source[R Row] interface {
	// Read gives the rows of a window of days. Its error is a [*SourceError]
	// when the source has answered with one.
	Read(ctx context.Context, window DateRange) ([]R, error)
}

// Row is one record of a source.
type Row interface {
	In(DateRange) bool // a sale has its day; stock and customers are as they are now
	Complete() bool    // nothing is missing that the figures are made of
}

// SourceError is a source's refusal, or its silence.
type SourceError struct{ Source, Answer string }

func (e *SourceError) Error() string {
	return fmt.Sprintf("%s answers %s", e.Source, answers[e.Answer])
}

// The sources, by the names that -source has for them.
const (
	sourceSales     = "sales"
	sourceInventory = "inventory"
	sourceCRM       = "crm"
)

// How long a read of each takes.
var readTimes = map[string]time.Duration{
	sourceSales:     40 * time.Millisecond,
	sourceInventory: 30 * time.Millisecond,
	sourceCRM:       60 * time.Millisecond,
}

// answers are what can come instead of the rows, or of some of them.
var answers = map[string]string{
	"400":       "400 Bad Request",
	"401":       "401 Unauthorized",
	"403":       "403 Forbidden",
	"404":       "404 Not Found",
	"429":       "429 Too Many Requests",
	"503":       "503 Service Unavailable",
	"timeout":   "nothing within its time limit",
	"lock":      "that it waited too long for a lock",
	answerEmpty: "with no rows, as if there were none",
	answerHoles: "with every second row empty",
}

// Answers that look like success.
const (
	answerEmpty = "empty"
	answerHoles = "holes"
)

// simulated is a source with rows of its own. Its script says what its reads
// are answered with, and how many there were is kept, so that a crash does not
// begin the script again.
type simulated[R Row] struct {
	name   string
	takes  time.Duration // a read
	rows   []R
	script script
	reads  *post.Kept[int]
}

func simulate[R Row](w *post.World, name string, rows []R) *simulated[R] {
	return &simulated[R]{name, readTimes[name], rows, scriptFor(name, w.Flag("source")), readsOf(w, name)}
}

func readsOf(w *post.World, name string) *post.Kept[int] {
	return post.Keep(w, "reads of "+name, func() int { return 0 })
}

// Read takes its time, then answers by the script, or with the rows.
func (s *simulated[R]) Read(ctx context.Context, window DateRange) ([]R, error) {
	var read int
	if err := s.reads.Do(ctx, func(n *int) error { *n++; read = *n; return nil }); err != nil {
		return nil, err
	}
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	rows := slices.DeleteFunc(slices.Clone(s.rows), func(row R) bool { return !row.In(window) })
	switch answer := s.script.answer(read); answer {
	case "":
		return rows, nil
	case answerEmpty:
		return nil, nil
	case answerHoles:
		return emptyEverySecond(rows), nil
	default:
		return nil, &SourceError{s.name, answer}
	}
}

func emptyEverySecond[R Row](rows []R) []R {
	var none R
	for i := 1; i < len(rows); i += 2 {
		rows[i] = none
	}
	return rows
}

// script is what a source answers to its reads, one strike after another, and
// with its rows when they are over.
type script []strike

// strike is one answer to some reads, or to all that follow.
type strike struct {
	answer string
	times  int // 0 is for ever
}

// answer is what the script has for a read, counted from 1.
func (s script) answer(read int) string {
	for _, strike := range s {
		if strike.times == 0 || read <= strike.times {
			return strike.answer
		}
		read -= strike.times
	}
	return ""
}

// scriptFor makes a source's script of the values of -source.
func scriptFor(source string, values []string) (s script) {
	for _, value := range values {
		if name, strike, err := parseStrike(value); err == nil && name == source {
			s = append(s, strike)
		}
	}
	return s
}

func checkStrike(value string) error {
	_, _, err := parseStrike(value)
	return err
}

// parseStrike reads NAME=ANSWER or NAME=ANSWERxN.
func parseStrike(value string) (source string, s strike, err error) {
	source, text, ok := strings.Cut(value, "=")
	if !ok {
		return "", s, fmt.Errorf("it must be NAME=ANSWER or NAME=ANSWERxN, such as crm=503x2")
	}
	if _, known := readTimes[source]; !known {
		return "", s, fmt.Errorf("there is no source %q; there is sales, inventory and crm", source)
	}
	answer, times, counted := strings.Cut(text, "x")
	if _, known := answers[answer]; !known {
		return "", s, fmt.Errorf("no source answers %q; it may be %s", answer, answerNames())
	}
	s.answer = answer
	if !counted {
		return source, s, nil
	}
	if s.times, err = strconv.Atoi(times); err != nil || s.times < 1 {
		return "", s, fmt.Errorf("%q is not a number of reads from 1", times)
	}
	return source, s, nil
}

func answerNames() string {
	names := make([]string, 0, len(answers))
	for name := range answers {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
