package mdcheck

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// The cache keeps what the parser has found in Go files from run to run. It is
// asked by the hash of a file's content, so it cannot be out of date, and all
// comparing is done anew each time: with or without it, a check finds the
// same. Whatever is wrong with its file, the file is not used.

type cacheKey [sha256.Size]byte

func keyOf(text []byte) cacheKey { return sha256.Sum256(text) }

type cache struct {
	mu    sync.Mutex
	file  string // "" keeps nothing
	known map[cacheKey][]byte
	used  map[cacheKey][]byte
	fresh int // of those used, how many were not known
}

// openCache reads the cache of a repository, one file in the folder.
func openCache(folder, repository string) *cache {
	c := &cache{used: map[cacheKey][]byte{}}
	if folder == "" {
		return c
	}
	program, err := programKey()
	if err != nil {
		return c
	}
	place := sha256.Sum256([]byte(repository))
	c.file = filepath.Join(folder, fmt.Sprintf("%x-%x", place[:12], program[:12]))
	if data, err := os.ReadFile(c.file); err == nil {
		c.known = readCache(data)
	}
	return c
}

// programKey tells one build of this program from another: by its size and by
// the build id, which the Go linker writes near the beginning.
func programKey() ([]byte, error) {
	name, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	fmt.Fprintln(h, info.Size())
	_, err = io.CopyN(h, f, 64<<10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return h.Sum(nil), nil
}

// readCache takes a cache file apart: a checksum over all that follows it,
// then keys with their records.
func readCache(data []byte) map[cacheKey][]byte {
	if len(data) < sha256.Size || sha256.Sum256(data[sha256.Size:]) != [sha256.Size]byte(data[:sha256.Size]) {
		return nil
	}
	known := map[cacheKey][]byte{}
	for rest := data[sha256.Size:]; len(rest) > sha256.Size; {
		key := cacheKey(rest[:sha256.Size])
		size, n := binary.Uvarint(rest[sha256.Size:])
		rest = rest[sha256.Size+max(n, 0):]
		if n <= 0 || size > uint64(len(rest)) {
			return nil
		}
		known[key], rest = rest[:size], rest[size:]
	}
	return known
}

// get gives what is known of a text of that many bytes, or nil.
func (c *cache) get(key cacheKey, size int) *goFile {
	record, ok := c.known[key]
	if !ok {
		return nil
	}
	code := unpack(record, size)
	if code == nil {
		return nil
	}
	c.mu.Lock()
	c.used[key] = record
	c.mu.Unlock()
	return code
}

func (c *cache) put(key cacheKey, code *goFile) {
	if c.file == "" {
		return
	}
	record := pack(code)
	c.mu.Lock()
	c.used[key] = record
	c.fresh++
	c.mu.Unlock()
}

// save writes the cache when there is something new in it. It never fails: a
// cache that cannot be kept costs time and nothing else. Records that this run
// did not ask for stay while they are not many.
func (c *cache) save() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == "" || c.fresh == 0 {
		return
	}
	if len(c.known) <= 4*len(c.used)+1000 {
		for key, record := range c.known {
			c.used[key] = record
		}
	}
	var b bytes.Buffer
	b.Write(make([]byte, sha256.Size))
	for key, record := range c.used {
		b.Write(key[:])
		b.Write(binary.AppendUvarint(nil, uint64(len(record))))
		b.Write(record)
	}
	data := b.Bytes()
	sum := sha256.Sum256(data[sha256.Size:])
	copy(data, sum[:])
	c.fresh = 0
	if os.MkdirAll(filepath.Dir(c.file), 0o755) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(c.file), "new-*")
	if err != nil {
		return
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), c.file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return
	}
	c.dropOthers()
}

// dropOthers removes what other builds of this program have kept of the same
// repository.
func (c *cache) dropOthers() {
	place := c.file[:strings.LastIndexByte(c.file, '-')]
	others, err := filepath.Glob(place + "-*")
	if err != nil {
		return
	}
	for _, file := range others {
		if file != c.file {
			_ = os.Remove(file)
		}
	}
}

// pack writes a goFile as numbers and names with their lengths.
func pack(g *goFile) []byte {
	var b []byte
	text := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	text(g.Package)
	text(g.Wrong)
	b = binary.AppendUvarint(b, uint64(len(g.Decls)))
	for i := range g.Decls {
		d := &g.Decls[i]
		text(d.Name)
		text(d.Recv)
		kind := uint64(0)
		if d.Pointer {
			kind |= 1
		}
		if d.Func {
			kind |= 2
		}
		for _, n := range []uint64{kind, uint64(d.Doc), uint64(d.Start), uint64(d.End)} {
			b = binary.AppendUvarint(b, n)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(g.Members)))
	for _, m := range g.Members {
		text(m)
	}
	return b
}

// unpack reads what pack wrote about a text of that many bytes, or gives nil.
func unpack(record []byte, size int) *goFile {
	ok := true
	all := string(record) // names are parts of it
	number := func() int {
		v, n := binary.Uvarint(record)
		if n <= 0 || v > 1<<31 {
			ok = false
			return 0
		}
		record = record[n:]
		return int(v)
	}
	text := func() string {
		n := number()
		if n > len(record) {
			ok = false
			return ""
		}
		at := len(all) - len(record)
		record = record[n:]
		return all[at : at+n]
	}
	g := &goFile{Package: text(), Wrong: text()}
	n := number()
	if !ok || n > len(record) {
		return nil
	}
	g.Decls = make([]decl, n)
	for i := range g.Decls {
		d := &g.Decls[i]
		d.Name, d.Recv = text(), text()
		kind := number()
		d.Pointer, d.Func = kind&1 != 0, kind&2 != 0
		d.Doc, d.Start, d.End = number(), number(), number()
		ok = ok && d.Doc <= d.Start && d.Start <= d.End && d.End <= size
	}
	for range number() {
		if !ok {
			return nil
		}
		g.Members = append(g.Members, text())
	}
	if !ok {
		return nil
	}
	return g
}
