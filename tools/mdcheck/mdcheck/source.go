package mdcheck

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"unicode/utf8"
)

// maxSource is the most that a source or a document may have, in bytes. What
// is larger was not written by hand.
const maxSource = 32 << 20

// source is a file of the repository. It is read once, by whoever needs it
// first, and its Go declarations are looked for once.
type source struct {
	path string // slash path from the repository's root
	read sync.Once
	text []byte
	err  error

	parse sync.Once
	code  *goFile
	cut   sync.Once
	marks []mark
	sign  string // of its comments, where it has marks
	scan  sync.Once
	page  *page
}

// sources are the files that were read so far. All reading goes through the
// root, which lets nothing out of the repository.
type sources struct {
	root  *os.Root
	cache *cache
	mu    sync.Mutex
	files map[string]*source
}

// open gives a file of the repository by its slash path from the root.
func (s *sources) open(path string) (*source, error) {
	s.mu.Lock()
	f := s.files[path]
	if f == nil {
		f = &source{path: path}
		s.files[path] = f
	}
	s.mu.Unlock()
	f.read.Do(func() { f.text, f.err = s.readText(path) })
	return f, f.err
}

// forget drops what was read of a file, or of all files of a folder, since it
// has changed.
func (s *sources) forget(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.files, func(file string, _ *source) bool {
		return file == path || strings.HasPrefix(file, path+"/")
	})
}

var errNoFile = errors.New("there is no such file")

// readText reads a file that must hold text. It is opened without waiting, so
// that a pipe cannot keep us.
func (s *sources) readText(path string) ([]byte, error) {
	f, err := s.root.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errNoFile
	case err != nil && strings.Contains(err.Error(), "escapes"):
		return nil, errors.New("it leads out of the repository, and only what is in it can be shown")
	case err != nil:
		return nil, plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, plain(err)
	case info.IsDir():
		return nil, errors.New("it is a folder; name a file")
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case info.Size() > maxSource:
		return nil, fmt.Errorf("it has %d MB, and a text that is shown has at most %d", info.Size()>>20, maxSource>>20)
	}
	text := make([]byte, info.Size())
	n, err := io.ReadFull(f, text)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return nil, plain(err)
	}
	return text[:n], checkText(text[:n])
}

// plain is an error without the operation and the path, which the finding
// names itself.
func plain(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}

// byteOrderMark is what some editors put before the text of a file.
func byteOrderMark(text []byte) []byte {
	if mark := []byte("\uFEFF"); bytes.HasPrefix(text, mark) {
		return mark
	}
	return nil
}

// checkText says why a file is no text.
func checkText(text []byte) error {
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return fmt.Errorf("it is no text: line %d holds a zero byte", lineOf(text, i))
	}
	if utf8.Valid(text) {
		return nil
	}
	at := 0
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return fmt.Errorf("it is not UTF-8: line %d holds the byte %#x", lineOf(text, at), text[at])
}

// from is a path of a directive, seen from the folder of its document: a slash
// path from the root.
func from(document, name string) (string, error) {
	switch {
	case strings.Contains(name, "://"):
		return "", fmt.Errorf("%s is an address; name a file of the repository", name)
	case path.IsAbs(name) || strings.Contains(name, `\`) || len(name) > 1 && name[1] == ':':
		return "", fmt.Errorf("%s is no path from the document's folder, as docs/a.go and ../a.go are", name)
	}
	joined := path.Join(path.Dir(document), name)
	if outside(joined) {
		return "", fmt.Errorf("%s leads out of the repository, and only what is in it can be shown", name)
	}
	return joined, nil
}
