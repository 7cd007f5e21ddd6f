package tasker_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The engine is to be read, and trusted, without knowing a database driver or
// a telemetry library.
func TestTheEngineImportsTheStandardLibraryYAMLAndJSONSchemaOnly(t *testing.T) {
	t.Parallel()
	const own = "github.com/tasker-systems/tasker-go/tasker"
	allowed := map[string][]string{
		".":        {own + "/template", own + "/payload", own + "/shape"},
		"template": {own + "/payload", "gopkg.in/yaml.v3", "github.com/santhosh-tekuri/jsonschema/v6", "github.com/santhosh-tekuri/jsonschema/v6/kind"},
		"payload":  nil,
		"shape":    {own + "/template"},
		"memory":   {own},
		"money":    nil,
	}
	for folder, extra := range allowed {
		files, err := filepath.Glob(filepath.Join(folder, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", folder, len(files), err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range f.Imports {
				path, _ := strconv.Unquote(spec.Path.Value)
				first, _, _ := strings.Cut(path, "/")
				if standard := !strings.Contains(first, "."); !standard && !slices.Contains(extra, path) {
					t.Errorf("%s imports %s", file, path)
				}
			}
		}
	}
}
