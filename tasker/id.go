package tasker

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"time"
)

// ID names a task, a record or a worker. It is a UUID of version 7, made by
// the client: ids of one process sort by the time they were made.
type ID [16]byte

// String is the usual form with hyphens.
func (id ID) String() string {
	var b [36]byte
	for i, at := range [5][3]int{{0, 0, 4}, {9, 4, 6}, {14, 6, 8}, {19, 8, 10}, {24, 10, 16}} {
		hex.Encode(b[at[0]:], id[at[1]:at[2]])
		if i > 0 {
			b[at[0]-1] = '-'
		}
	}
	return string(b[:])
}

// IsZero says that there is no id.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText writes the id as String does, and nothing for no id.
func (id ID) MarshalText() ([]byte, error) {
	if id.IsZero() {
		return nil, nil
	}
	return []byte(id.String()), nil
}

// UnmarshalText reads what MarshalText wrote.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*id = ID{}
		return nil
	}
	parsed, err := ParseID(string(text))
	*id = parsed
	return err
}

// ParseID reads an id in the form of [ID.String].
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
		if _, err := hex.Decode(id[:], []byte(digits)); err == nil {
			return id, nil
		}
	}
	return ID{}, fmt.Errorf("%q is not a task id; it looks like 0192f4e2-7c1a-7b3d-9e58-3c2f1a0b4d6e", s)
}

// newID makes a UUIDv7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then
// the fraction of the millisecond in 12 bits, so that ids made in a row keep
// their order, then 62 bits of chance.
func newID(now time.Time, chance *rand.Rand) ID {
	var id ID
	ms := now.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	fraction := uint64(now.Nanosecond()%1_000_000) * 4096 / 1_000_000
	id[6], id[7] = 0x70|byte(fraction>>8), byte(fraction)
	r := chance.Uint64()
	for i := range 8 {
		id[8+i] = byte(r >> (8 * i))
	}
	id[8] = 0x80 | id[8]&0x3f
	return id
}
