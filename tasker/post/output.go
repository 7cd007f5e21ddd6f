package post

import (
	"errors"
	"io"
	"sync"
	"syscall"
)

// output is standard output. It remembers that something did not get through,
// such as to a full disk: half a report must not look like success. A reader
// that has gone away, such as head, wants no more and loses nothing.
type output struct {
	to io.Writer

	mu  sync.Mutex
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.to.Write(p)
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		o.mu.Lock()
		o.err = err
		o.mu.Unlock()
	}
	return n, err
}

// lost is why something is missing, nil when nothing is.
func (o *output) lost() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}
