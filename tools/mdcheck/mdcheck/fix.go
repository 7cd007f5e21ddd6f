package mdcheck

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
)

// edit puts a text in place of a stretch of the document.
type edit struct {
	at  span
	new string
}

func (c *check) edit(at span, new string) { c.edits = append(c.edits, edit{at, new}) }

// replace puts a text into a fence, with the fence's own line endings and
// behind what its lines begin with.
func (c *check) replace(f *fence, text []byte) {
	ending := "\n"
	if f.crlf {
		ending = "\r\n"
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			b.WriteString(strings.TrimRight(f.lead, " \t"))
		} else {
			b.WriteString(f.lead + line)
		}
		b.WriteString(ending)
	}
	c.edit(f.body, b.String())
	c.grow(f, text)
}

// tooShort is the length that a fence needs to hold a text: more than the
// longest run of its own sign. It is 0 when the fence is long enough.
func tooShort(f *fence, text []byte) int {
	longest := 0
	for {
		i := bytes.IndexByte(text, f.mark)
		if i < 0 {
			break
		}
		n := run(text[i:], f.mark)
		longest, text = max(longest, n), text[i+n:]
	}
	if longest < f.length {
		return 0
	}
	return longest + 1
}

// grow makes a fence longer than what it holds.
func (c *check) grow(f *fence, text []byte) {
	length := tooShort(f, text)
	if length == 0 {
		return
	}
	longer := strings.Repeat(string(f.mark), length)
	c.edit(span{f.start, f.start + f.length}, longer)
	close := bytes.IndexByte(c.page.text[f.body.end:f.end], f.mark) + f.body.end
	c.edit(span{close, close + f.tail}, longer)
}

// lengthen says that a fence is right but for its length.
func (c *check) lengthen(f *fence, text []byte) {
	if length := tooShort(f, text); length > 0 {
		c.find(f.line, Stale, "the fence needs %d %c: what it holds has a run of %d", length, f.mark, length-1).Mendable = true
		c.grow(f, text)
	}
}

// fixed is the document with all edits made.
func (c *check) fixed() []byte {
	slices.SortStableFunc(c.edits, func(a, b edit) int { return cmp.Compare(a.at.start, b.at.start) })
	var b bytes.Buffer
	at := 0
	for _, e := range c.edits {
		if e.at.start < at {
			continue // two say the same of one place
		}
		b.Write(c.page.text[at:e.at.start])
		b.WriteString(e.new)
		at = e.at.end
	}
	b.Write(c.page.text[at:])
	return b.Bytes()
}

// fix writes what the edits make of the document, and marks the findings that
// are gone by it.
func (c *check) fix() {
	if len(c.edits) == 0 {
		return
	}
	if err := c.write(c.fixed()); err != nil {
		c.find(1, Unreadable, "it cannot be written: %s", plain(err))
		return
	}
	for i := range c.findings {
		c.findings[i].Fixed = c.findings[i].Mendable
	}
}

// write replaces the document in one step, so that nobody ever sees half of
// it. Its permissions stay.
func (c *check) write(text []byte) error {
	root := c.sources.root
	now, err := c.sources.readText(c.path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, c.page.text) {
		return errors.New("somebody has changed it meanwhile; run mdcheck again")
	}
	info, err := root.Stat(c.path)
	if err != nil {
		return err
	}
	temporary := fmt.Sprintf("%s.%08x.tmp", c.path, rand.Uint32())
	f, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Close())
	if err == nil {
		err = root.Rename(temporary, c.path)
	}
	if err != nil {
		_ = root.Remove(temporary)
		return err
	}
	c.sources.forget(c.path)
	return nil
}
