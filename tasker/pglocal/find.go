package pglocal

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// binaries is where the programs of a PostgreSQL are.
type binaries struct {
	folder string
	major  int
}

// oldest is the oldest version that the durable store works with.
const oldest = 14

// find looks for a server: first what PATH names, then what pg_config tells
// of, then where the usual packages put theirs, the newest first.
func find(ctx context.Context) (binaries, error) {
	var tooOld []string
	for _, folder := range candidates(ctx) {
		major, ok := majorIn(ctx, folder)
		if ok && major >= oldest {
			return binaries{folder, major}, nil
		}
		if ok {
			tooOld = append(tooOld, fmt.Sprintf("%s has version %d", folder, major))
		}
	}
	found := ""
	if len(tooOld) > 0 {
		found = fmt.Sprintf(" (%s, and it takes %d or newer)", strings.Join(tooOld, ", "), oldest)
	}
	return binaries{}, fmt.Errorf("%w%s: looked for postgres and initdb in PATH, where pg_config points, and in %s; "+
		"install it with \"apt-get install postgresql\" or \"brew install postgresql\", or name a server by its postgres:// URL",
		ErrNoServer, found, strings.Join(usualFolders, ", "))
}

// usualFolders are those of Debian and its kin, of Fedora's newer packages,
// of Homebrew on both kinds of Mac, of an install from source, of Postgres.app.
var usualFolders = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/usr/local/pgsql/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

func candidates(ctx context.Context) []string {
	var folders []string
	if postgres, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(postgres); err == nil {
			folders = append(folders, filepath.Dir(real))
		}
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		folders = append(folders, strings.TrimSpace(string(out)))
	}
	var usual []string
	for _, pattern := range usualFolders {
		found, _ := filepath.Glob(pattern) // the patterns are fine
		usual = append(usual, found...)
	}
	slices.SortStableFunc(usual, func(a, b string) int { return cmp.Compare(numberIn(b), numberIn(a)) })
	return append(folders, usual...)
}

var digits = regexp.MustCompile(`\d+`)

// numberIn is the last number of a path, which is the version in all of
// usualFolders; 0 for none.
func numberIn(path string) int {
	all := digits.FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(all[len(all)-1]) // digits only
	return n
}

// majorIn asks a folder's server for its version. Scripts that stand in for
// the programs do not count: what they do with other arguments is not known.
func majorIn(ctx context.Context, folder string) (major int, ok bool) {
	for _, program := range []string{"postgres", "initdb"} {
		if !isProgram(filepath.Join(folder, program)) {
			return 0, false
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(folder, "postgres"), "--version").Output()
	if err != nil {
		return 0, false
	}
	major, err = strconv.Atoi(digits.FindString(string(out)))
	return major, err == nil
}

func isProgram(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	begin := make([]byte, 2)
	n, err := f.Read(begin)
	return err == nil && n == 2 && !bytes.Equal(begin, []byte("#!"))
}
