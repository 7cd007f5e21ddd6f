package mdcheck

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"os"
	"path/filepath"
	"sync"
)

type cacheKey [sha256.Size]byte

func keyOf(text []byte) cacheKey { return sha256.Sum256(text) }

type cache struct {
	mu    sync.Mutex
	known map[cacheKey]*goFile
}

func (c *cache) get(key cacheKey, size int) *goFile { return nil }
func (c *cache) put(key cacheKey, code *goFile)     {}

var _ = gob.NewEncoder
var _ = os.Open
var _ = filepath.Join
var _ bytes.Buffer
