package pglocal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// root's home is closed to the user that root's server runs as.
func TestAFolderThatTheServerCannotReachIsNotTaken(t *testing.T) {
	closed := t.TempDir()
	if os.Geteuid() != 0 {
		t.Skip("this is about root, and we are not")
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	as, err := serverAccount()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sharedFolder(filepath.Join(closed, "tasker-go"), as); err == nil || !strings.Contains(err.Error(), "cannot enter") {
		t.Errorf("a folder within a closed one gives %v", err)
	}
	t.Setenv("TMPDIR", closed)
	folder, err := temporaryFolder(as)
	if err != nil || !strings.HasPrefix(folder, "/tmp/") {
		t.Errorf("with TMPDIR closed to the server its folder is %q (%v)", folder, err)
	}
	_ = os.Remove(folder)
}

func TestAFolderOfSomebodyElseIsNotTaken(t *testing.T) {
	t.Parallel()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/tmp", link); err != nil {
		t.Fatal(err)
	}
	if _, err := openFolder(link, nil); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("a link to /tmp gives %v", err)
	}
}

func TestWithoutBinariesTheErrorSaysWhereItLookedAndWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	before := usualFolders
	usualFolders = []string{filepath.Join(t.TempDir(), "postgresql", "*", "bin")}
	defer func() { usualFolders = before }()
	_, err := Temporary(t.Context())
	if !errors.Is(err, ErrNoServer) {
		t.Fatalf("the error is %v", err)
	}
	for _, part := range []string{"PATH", "pg_config", usualFolders[0], "apt-get install postgresql", "brew install postgresql"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not speak of %s: %v", part, err)
		}
	}
}

func TestTheNewestServerIsTakenAndAScriptInItsPlaceIsNot(t *testing.T) {
	path, usual := t.TempDir(), t.TempDir()
	put := func(folder, postgres string) {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, program := range []string{"postgres", "initdb"} {
			if err := os.WriteFile(filepath.Join(folder, program), []byte(postgres), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(path, "#!/bin/sh\necho 'postgres (PostgreSQL) 99.1'\n")
	// A program that is no script by its first bytes and that a shell runs.
	for _, version := range []string{"9.6", "15", "17"} {
		put(filepath.Join(usual, version, "bin"), "\n\necho 'postgres (PostgreSQL) "+version+".1'\n")
	}
	t.Setenv("PATH", path)
	before := usualFolders
	usualFolders = []string{usual + "/*/bin"}
	defer func() { usualFolders = before }()
	if got := candidates(t.Context()); len(got) != 4 || got[1] != filepath.Join(usual, "17", "bin") {
		t.Errorf("the candidates are %v", got)
	}
	if _, ok := majorIn(t.Context(), path); ok {
		t.Error("a script is taken for a server")
	}
}
