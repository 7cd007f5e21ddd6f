package post

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// DeriveID makes an id that follows from a key: the same each time, so that a
// retry hands out what the first attempt did. digits is at most 64.
func DeriveID(prefix string, digits int, from ...string) string {
	sum := derive(prefix, from)
	return prefix + hex.EncodeToString(sum[:])[:digits]
}

// DeriveNumber makes a number that follows from a key, from at least up to
// ten times that.
func DeriveNumber(least int64, from ...string) int64 {
	sum := derive("number", from)
	return least + int64(binary.BigEndian.Uint64(sum[:8])%uint64(9*least))
}

func derive(kind string, from []string) [sha256.Size]byte {
	return sha256.Sum256([]byte(kind + "\x00" + strings.Join(from, "\x00")))
}
