package mdcheck

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// names holds the code in the prose to the declarations: what looks like a
// name of ours must be one. That is an exported name of two words or more, as
// ChargeCard is, a name behind one of the module's packages, as
// tasker.Permanent is, and a member of one of its types.
func (c *check) names() {
	for _, at := range c.page.names {
		text := string(c.page.text[at.start:at.end])
		parts := nameParts(text)
		if len(parts) == 0 || c.front.allow[text] || c.front.allow[strings.Join(parts, ".")] {
			continue
		}
		known, ours := c.declared(parts)
		if !ours {
			continue
		}
		c.counts.Names++
		if !known {
			name := strings.Join(parts, ".")
			c.find(c.line(at.start), Name, "`%s` is declared neither in this folder nor in the module; a name that is not meant as ours goes into allow=\"…\" of <!-- mdcheck document … -->%s", name, c.suggest(name, c.allNames))
		}
	}
}

// nameParts cuts code into the names that it is made of, or gives none when
// it is no name: `(*Shop).ChargeCard(ctx)` is Shop and ChargeCard.
func nameParts(code string) []string {
	code = strings.TrimLeft(code, "*&[]")
	if rest, ok := strings.CutPrefix(code, "("); ok {
		code = strings.Replace(strings.TrimLeft(rest, "*"), ").", ".", 1)
	}
	if i := strings.IndexAny(code, "([{"); i >= 0 {
		code = code[:i]
	}
	parts := strings.Split(code, ".")
	last := parts[len(parts)-1]
	if len(parts) > 3 || !isExported(last) || len(parts) == 1 && !hasHumps(last) {
		return nil
	}
	for _, p := range parts {
		for i := range len(p) {
			if !isLetter(p[i]) || p[i] >= 0x80 {
				return nil
			}
		}
		if p == "" {
			return nil
		}
	}
	return parts
}

func isExported(name string) bool { return name != "" && 'A' <= name[0] && name[0] <= 'Z' }

// hasHumps says whether an exported name is made of two words or more.
func hasHumps(name string) bool {
	small := false
	for _, r := range name {
		if small && unicode.IsUpper(r) {
			return true
		}
		small = small || unicode.IsLower(r)
	}
	return false
}

// declared says whether a name exists, and whether it looks like one of ours
// at all.
func (c *check) declared(parts []string) (known, ours bool) {
	for _, x := range c.indexes() {
		k, o := x.declares(parts)
		if known, ours = known || k, ours || o; known {
			return true, true
		}
	}
	return known, ours
}

// index is what the packages of a tree declare.
type index struct {
	once     sync.Once
	packages map[string]map[string]bool // by package: its names
	names    map[string]bool            // all, and those of fields and methods
	members  map[string]bool            // Type.Member; Type.* when anything may be one
	types    map[string]bool            // what has members
}

func (x *index) add(g *goFile) {
	of := x.packages[g.Package]
	if of == nil {
		of = map[string]bool{}
		x.packages[g.Package] = of
	}
	for i := range g.Decls {
		d := &g.Decls[i]
		x.names[d.Name] = true
		if d.Recv == "" {
			of[d.Name] = true
			continue
		}
		x.types[d.Recv] = true
		x.members[d.Recv+"."+d.Name] = true
	}
	for _, m := range g.Members {
		owner, name, _ := strings.Cut(m, ".")
		x.types[owner] = true
		x.members[m] = true
		x.names[name] = true
	}
}

func (x *index) declares(parts []string) (known, ours bool) {
	first := parts[0]
	of, isPackage := x.packages[first]
	switch {
	case len(x.packages) == 0: // nothing here is Go
		return false, false
	case len(parts) == 1:
		return x.names[first], true
	case isPackage && first != "main" && len(parts) == 2:
		return of[parts[1]], true
	case isPackage && first != "main":
		return of[parts[1]] && x.member(parts[1], parts[2]), true
	case len(parts) == 2 && isExported(first):
		return x.member(first, parts[1]), x.types[first] || hasHumps(first)
	}
	return false, false
}

func (x *index) member(of, name string) bool {
	return x.members[of+"."+name] || x.members[of+".*"]
}

// indexes are those of the document's folder, of the module it is in, and of
// the module that is checked. They are made when the first name is asked for.
func (c *check) indexes() []*index {
	folder := path.Dir(c.path)
	all := []*index{c.index(folder, false), c.index(c.moduleOf(folder), true)}
	if c.moduleOf(folder) != c.module {
		all = append(all, c.index(c.module, true))
	}
	c.uses[anyGoFile] = true
	return all
}

// anyGoFile stands for all of them among the files that a document depends on.
const anyGoFile = "*.go"

// allNames are those that a text could have meant.
func (c *check) allNames() (names []string) {
	for _, x := range c.indexes() {
		names = slices.AppendSeq(names, maps.Keys(x.members))
		for name := range x.names {
			if isExported(name) {
				names = append(names, name)
			}
		}
		for pkg, of := range x.packages {
			for name := range of {
				names = append(names, pkg+"."+name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// moduleOf is the nearest folder above with a go.mod.
func (r *Repository) moduleOf(folder string) string {
	for ; folder != "."; folder = path.Dir(folder) {
		if _, err := r.sources.root.Lstat(path.Join(folder, "go.mod")); err == nil {
			return folder
		}
	}
	return "."
}

// index reads what the Go files of a folder declare, and with deep those below
// it.
func (r *Repository) index(folder string, deep bool) *index {
	key := folder
	if deep {
		key += "/..."
	}
	made, _ := r.indexed.LoadOrStore(key, &index{})
	x := made.(*index)
	x.once.Do(func() {
		x.packages, x.names = map[string]map[string]bool{}, map[string]bool{}
		x.members, x.types = map[string]bool{}, map[string]bool{}
		for _, g := range r.goFiles(folder, deep) {
			x.add(g)
		}
	})
	return x
}

// goFiles reads the Go files of a folder, several at once.
func (r *Repository) goFiles(folder string, deep bool) []*goFile {
	var files []string
	take := func(file string, entry fs.DirEntry, _ error) {
		if !entry.IsDir() && strings.HasSuffix(file, ".go") {
			files = append(files, file)
		}
	}
	// What cannot be read declares nothing.
	if deep {
		_ = r.walk(folder, take)
	} else if entries, err := fs.ReadDir(r.sources.root.FS(), folder); err == nil {
		for _, entry := range entries {
			take(path.Join(folder, entry.Name()), entry, nil)
		}
	}
	read := make([]*goFile, len(files))
	inParallel(len(files), func(i int) {
		if f, err := r.sources.open(files[i]); err == nil {
			read[i] = r.sources.golang(f)
		}
	})
	return slices.DeleteFunc(read, func(g *goFile) bool { return g == nil })
}
