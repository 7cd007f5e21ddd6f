// Package mdcheck holds the fenced blocks of markdown files to what they show:
// each block says in a comment above it which declaration, region, YAML node,
// picture or command it comes from, and the check compares the two.
//
// Open a repository, name its documents, check them:
//
//	repo, err := mdcheck.Open(".", mdcheck.Options{})
//	documents, err := repo.Documents("posts")
//	report := repo.Check(ctx, documents)
//
// In a test, Test does all three, with a subtest for each directive.
package mdcheck

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Options say what a check does besides comparing.
type Options struct {
	// Run runs the transcripts and the tests that report values. Without it
	// they are counted as not run.
	Run bool
	// Fix rewrites what differs: the insides of fences, values, source lines,
	// and directives whose declaration has another name now.
	Fix bool
	// MinCoverage is the least share, in percent, that each post must show of
	// its handlers; 0 leaves it to the post's front comment.
	MinCoverage float64
	// CacheDir is where the declarations of sources are kept from run to run,
	// by content; "" keeps none.
	CacheDir string
}

// Repository is a tree of documents and of the sources that they show. Nothing
// outside of it is ever read or written.
type Repository struct {
	dir     string // absolute
	module  string // slash path from dir to the module's folder
	options Options
	sources sources
	indexed sync.Map                   // by folder: *index
	uses    map[string]map[string]bool // by document: the files it depends on
}

// Open finds the repository around a file or folder: the nearest folder above
// that holds .git, or else go.mod, or else the folder itself. Close it.
func Open(at string, options Options) (*Repository, error) {
	folder, err := filepath.Abs(at)
	if err != nil {
		return nil, err
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return nil, fmt.Errorf("%s: %w", at, plain(err))
	}
	if info, err := os.Stat(folder); err != nil {
		return nil, fmt.Errorf("%s: %w", at, plain(err))
	} else if !info.IsDir() {
		folder = filepath.Dir(folder)
	}
	module := above(folder, "go.mod", folder)
	dir := above(module, ".git", module)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	r := &Repository{dir: dir, module: slashFrom(dir, module), options: options, uses: map[string]map[string]bool{}}
	r.sources = sources{root: root, files: map[string]*source{}, cache: openCache(options.CacheDir, dir)}
	return r, nil
}

// Close keeps what was learned for the next time.
func (r *Repository) Close() error {
	r.sources.cache.save()
	return r.sources.root.Close()
}

// Dir is the repository's folder, absolute.
func (r *Repository) Dir() string { return r.dir }

// above is the nearest folder from here upwards that holds the name.
func above(from, name, otherwise string) string {
	for dir := from; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return otherwise
		}
	}
}

func slashFrom(dir, file string) string {
	rel, err := filepath.Rel(dir, file)
	if err != nil {
		return filepath.ToSlash(file)
	}
	return filepath.ToSlash(rel)
}

// Documents lists the markdown files at the paths, in folders also below, as
// slash paths from the repository's root; without a path, those of the module.
// Below a folder, nested modules, testdata, vendor and hidden folders are left
// out. A path that is not there or not in the repository is an error.
func (r *Repository) Documents(paths ...string) ([]string, error) {
	if len(paths) == 0 {
		paths = []string{filepath.Join(r.dir, filepath.FromSlash(r.module))}
	}
	var found []string
	for _, p := range paths {
		abs, err := filepath.Abs(p)
		if err != nil {
			return nil, err
		}
		if abs, err = filepath.EvalSymlinks(abs); err != nil {
			return nil, fmt.Errorf("%s: %w", p, plain(err))
		}
		name := slashFrom(r.dir, abs)
		if outside(name) {
			return nil, fmt.Errorf("%s is not in the repository %s", p, r.dir)
		}
		info, err := r.sources.root.Stat(name)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", p, plain(err))
		case !info.IsDir() && !isMarkdown(name):
			return nil, fmt.Errorf("%s is no markdown; name files that end in .md, or folders", p)
		case !info.IsDir():
			found = append(found, name)
		default:
			// A folder that cannot be listed is told of as a document is.
			err = r.walk(name, func(file string, entry fs.DirEntry, err error) {
				if err != nil || !entry.IsDir() && isMarkdown(file) {
					found = append(found, file)
				}
			})
			if err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

func isMarkdown(file string) bool {
	ext := path.Ext(file)
	return ext == ".md" || ext == ".markdown"
}

// walk goes through a folder and what is below it. It only lists names; what is
// read is read through the root. A link to a file stands for that file, and one
// to a folder is not followed. A folder that cannot be listed is visited with
// the error.
func (r *Repository) walk(folder string, visit func(name string, entry fs.DirEntry, err error)) error {
	return filepath.WalkDir(filepath.Join(r.dir, filepath.FromSlash(folder)), func(at string, entry fs.DirEntry, err error) error {
		name := slashFrom(r.dir, at)
		switch {
		case entry == nil:
			return err
		case entry.IsDir() && name != folder && r.leaveOut(name):
			return fs.SkipDir
		case entry.Type()&fs.ModeSymlink != 0:
			name = r.linked(name)
		}
		visit(name, entry, err)
		return nil
	})
}

// linked is what a link leads to, or itself when that is not in the repository.
func (r *Repository) linked(link string) string {
	at, err := filepath.EvalSymlinks(filepath.Join(r.dir, filepath.FromSlash(link)))
	if err != nil || outside(slashFrom(r.dir, at)) {
		return link
	}
	return slashFrom(r.dir, at)
}

// outside says whether a path from the repository's root leads out of it.
func outside(name string) bool {
	return name == ".." || strings.HasPrefix(name, "../") || filepath.IsAbs(name)
}

func (r *Repository) leaveOut(folder string) bool {
	switch base := path.Base(folder); {
	case base[0] == '.', base[0] == '_', base == "testdata", base == "vendor", base == "node_modules":
		return true
	}
	_, err := r.sources.root.Lstat(path.Join(folder, "go.mod"))
	return err == nil
}

// Check checks documents, as Documents lists them. All of them are checked
// whatever is found; the findings are sorted by file and line.
func (r *Repository) Check(ctx context.Context, documents []string) *Report {
	report := &Report{Documents: len(documents)}
	for _, c := range r.checkAll(ctx, documents) {
		report.add(c)
	}
	sortFindings(report.Findings)
	return report
}

// checkAll reads and compares the documents side by side, then runs what is to
// be run one after the other, then writes what is to be written.
func (r *Repository) checkAll(ctx context.Context, documents []string) []*check {
	checks := make([]*check, len(documents))
	inParallel(len(documents), func(i int) { checks[i] = r.check(documents[i]) })
	if r.options.Run {
		runTranscripts(ctx, checks)
		askTests(ctx, checks)
	}
	for _, c := range checks {
		if r.options.Fix {
			c.fix()
		}
		r.uses[c.path] = c.uses
	}
	return checks
}

// Changed tells that files are not what they were, as slash paths from the
// repository's root, and gives the documents that this concerns: themselves,
// and those that showed or named something of them when last checked.
func (r *Repository) Changed(files ...string) (documents []string) {
	for _, file := range files {
		r.sources.forget(file)
		if mayHoldGo(file) {
			r.indexed.Clear()
		}
	}
	for document, uses := range r.uses {
		below := func(folder string) bool {
			for file := range uses {
				if strings.HasPrefix(file, folder+"/") {
					return true
				}
			}
			return false
		}
		concerns := func(file string) bool {
			return uses[file] || uses[path.Dir(file)] || uses[anyGoFile] && mayHoldGo(file) || below(file)
		}
		if slices.ContainsFunc(files, concerns) {
			documents = append(documents, document)
		}
	}
	slices.Sort(documents)
	return documents
}

// mayHoldGo says whether a changed file is one of Go, or may be a folder of
// them, which has come or gone as a whole.
func mayHoldGo(file string) bool {
	return strings.HasSuffix(file, ".go") || path.Ext(file) == ""
}

// Folders lists the folders that documents and their sources may be in, as
// absolute paths.
func (r *Repository) Folders() (folders []string, err error) {
	seen := map[string]bool{}
	err = r.walk(r.module, func(name string, entry fs.DirEntry, _ error) {
		if entry.IsDir() {
			seen[name] = true
		}
	})
	for _, uses := range r.uses {
		for file := range uses {
			seen[path.Dir(file)] = true
		}
	}
	for folder := range seen {
		folders = append(folders, filepath.Join(r.dir, filepath.FromSlash(folder)))
	}
	slices.Sort(folders)
	return folders, err
}

// inParallel does something for each number below n, on all processors.
func inParallel(n int, do func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	workers.Wait()
}
