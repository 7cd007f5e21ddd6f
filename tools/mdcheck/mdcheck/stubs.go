package mdcheck

import (
	"context"
	"io/fs"
	"os"
)

type transcript struct{}
type testValue struct{}
type index struct{}
type PostCoverage struct{ File string }

func (p *PostCoverage) String() string { return "" }

func runTranscripts(ctx context.Context, checks []*check)   {}
func askTests(ctx context.Context, checks []*check)         {}
func (c *check) transcript(f *fence, n *note, d *directive) {}
func (c *check) value(n *note, d *directive)                {}
func (c *check) links()                                     {}
func (c *check) names()                                     {}
func (c *check) cover()                                     {}
func openCache(dir, root string) *cache                     { return &cache{} }
func (c *cache) save()                                      {}

func readDir(root *os.Root, folder string) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), folder)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}
func (p *PostCoverage) Unshown() string { return "" }
