package mdcheck

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// A declaration that is gone has most often got another name, or has moved to
// another file of its folder. What the fence still shows finds it.

// renamed looks for the declaration whose text is what the fence shows, but
// for the name. One is the answer; none or several leave it to the reader.
func (c *check) renamed(f *fence, n *note, d *directive, lost *missing) (*excerpt, *directive, error) {
	shown := c.page.code(f)
	old := namesOf(lost.sym)
	var found []*excerpt
	var directives []*directive
	for _, file := range c.neighbours(d.get("src")) {
		src, err := c.source(file)
		if err != nil {
			continue
		}
		code := c.golang(src)
		if same := code.find(lost.sym); len(same) == 1 && lost.near == "" {
			lost.near = fmt.Sprintf("; %s:%d declares one", file, lineOf(src.text, same[0].Start))
		}
		for i := range code.Decls {
			decl := &code.Decls[i]
			other := d.with("src", file).with("sym", decl.like(lost.sym))
			if len(code.find(decl.title())) != 1 || (decl.Recv != "") != strings.Contains(lost.sym, ".") {
				continue
			}
			if e, err := c.snippet(other); err == nil && sameBut(e.text, shown, []string{decl.Name, decl.Recv}, old) {
				found, directives = append(found, e), append(directives, other)
			}
		}
	}
	if len(found) != 1 {
		if len(found) > 1 {
			lost.near = fmt.Sprintf("; %s and %s have the same body, so it can be either", found[0].title(directives[0]), found[1].title(directives[1]))
		}
		return nil, nil, lost
	}
	to := directives[0]
	lost.near = ""
	c.find(n.line, Renamed, "%s; %s:%d declares %s, with the same body", lost, to.get("src"), found[0].line(), to.get("sym")).Mendable = true
	for _, key := range []string{"src", "sym"} {
		if to.get(key) != d.get(key) {
			c.edit(d.value(key).at, quoted(to.get(key)))
		}
	}
	return found[0], to, nil
}

// with is the directive with another value for a key.
func (d *directive) with(key, text string) *directive {
	other := &directive{kind: d.kind, values: slices.Clone(d.values)}
	for i := range other.values {
		if other.values[i].key == key {
			other.values[i].text = text
		}
	}
	return other
}

// like is the declaration's name in the form of another one.
func (d *decl) like(sym string) string {
	if d.Recv != "" && !strings.HasPrefix(sym, "(") {
		return d.Recv + "." + d.Name
	}
	return d.title()
}

// neighbours are the Go files of a file's folder, itself first, as a directive
// names them.
func (c *check) neighbours(file string) []string {
	itself := func(other string) bool { return other == path.Clean(file) }
	return append([]string{file}, slices.DeleteFunc(c.goFilesIn(path.Dir(file)), itself)...)
}

// goFilesIn are the Go files of a folder, as a directive names both.
func (c *check) goFilesIn(dir string) (names []string) {
	folder, err := from(c.path, dir)
	if err != nil {
		return nil
	}
	c.uses[folder] = true // a new file in it may be the answer
	entries, _ := fs.ReadDir(c.sources.root.FS(), folder)
	for _, entry := range entries {
		if !entry.IsDir() && strings.HasSuffix(entry.Name(), ".go") {
			names = append(names, path.Join(dir, entry.Name()))
		}
	}
	return names
}

// namesOf are the name of a declaration and that of its receiver's type, which
// may be what has changed.
func namesOf(sym string) []string {
	recv, name, method := strings.Cut(strings.Trim(withoutParameters(sym), "(*"), ".")
	if !method {
		return []string{recv, ""}
	}
	return []string{name, strings.Trim(recv, ")")}
}

// sameBut compares two texts in which the same things have other names.
func sameBut(a, b []byte, namesA, namesB []string) bool {
	for i := range namesA {
		word := fmt.Sprintf("\x00%d", i)
		a, b = withName(a, namesA[i], word), withName(b, namesB[i], word)
	}
	return bytes.Equal(a, b)
}

// withName puts another name in place of each whole word that is the name.
func withName(text []byte, name, other string) []byte {
	if name == "" {
		return text
	}
	var b bytes.Buffer
	for {
		i := bytes.Index(text, []byte(name))
		if i < 0 {
			b.Write(text)
			return b.Bytes()
		}
		end := i + len(name)
		whole := (i == 0 || !isLetter(text[i-1])) && (end == len(text) || !isLetter(text[end]))
		b.Write(text[:i])
		if whole {
			b.WriteString(other)
		} else {
			b.WriteString(name)
		}
		text = text[end:]
	}
}
