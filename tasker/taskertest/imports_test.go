package taskertest_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A program that is shipped has no use for a test library, and Docker's is a
// large one.
func TestOnlyTestsAndTestPackagesImportTestLibraries(t *testing.T) {
	t.Parallel()
	const root = "../.."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasSuffix(d.Name(), "test") || d.Name() == "testdata" || path != root && isModule(path)):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			name, _ := strconv.Unquote(spec.Path.Value)
			for _, library := range []string{"testing", "github.com/ory/dockertest/v3", "github.com/tasker-systems/tasker-go/tasker/taskertest", "github.com/tasker-systems/tasker-go/tasker/post/posttest"} {
				if name == library {
					t.Errorf("%s imports %s", path, name)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func isModule(folder string) bool {
	_, err := os.Stat(filepath.Join(folder, "go.mod"))
	return err == nil
}
