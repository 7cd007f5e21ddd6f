package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/tasker-systems/tasker-go/tasker/post"
)

// Archive is a simulated object store. The key of an object ends in its
// checksum, so that the same content is the same object however often it is
// put there, and nobody's object is ever written over. (Equal rows in another
// order are other content.)
type Archive struct{ objects *post.Kept[Objects] }

// Objects is what the archive remembers, by key.
type Objects map[string]json.RawMessage

// Object is a reference to what is in the archive.
type Object struct {
	Key      string `json:"object_key"`
	Checksum string `json:"checksum"` // SHA-256, in hexadecimal
	Rows     int    `json:"row_count"`
	Bytes    int    `json:"bytes"`
}

func newArchive(w *post.World) *Archive {
	return &Archive{post.Keep(w, "archive", func() Objects { return Objects{} })}
}

// Put stores rows under a key that begins with prefix.
func (a *Archive) Put(
	ctx context.Context, prefix string, rows int, content []byte,
) (Object, error) {
	checksum := checksumOf(content)
	object := Object{prefix + "-" + checksum[:12] + ".json", checksum, rows, len(content)}
	return object, a.objects.Do(ctx, func(objects *Objects) error {
		(*objects)[object.Key] = content
		return nil
	})
}

// Get gives what a reference stands for, if that is still what was put there.
func (a *Archive) Get(ctx context.Context, object Object) (content []byte, err error) {
	err = a.objects.Do(ctx, func(objects *Objects) error {
		var there bool
		content, there = (*objects)[object.Key]
		switch {
		case !there:
			return fmt.Errorf("the archive has no %s", object.Key)
		case checksumOf(content) != object.Checksum:
			return fmt.Errorf("%s is not what was put there: its checksum differs", object.Key)
		}
		return nil
	})
	return content, err
}

func checksumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
