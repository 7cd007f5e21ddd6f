package mdcheck

import (
	"os"
	"path/filepath"
	"testing"
)

func TestADocumentIsATest(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module x\n",
		"a.go":      "package x\n\nfunc F() {}\n",
		"README.md": "# X\n\n<!-- mdcheck src=a.go sym=F -->\n```go\nfunc F() {}\n```\n\n<!-- mdcheck run -->\n```console\n$ true\n```\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	Test(t, dir)
}
