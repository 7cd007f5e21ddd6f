package mdcheck

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	goscanner "go/scanner"
	"go/token"
	"strings"

	"github.com/tasker-systems/tasker-go/tasker/template"
)

// goFile is what a Go file declares. It holds offsets and names and no syntax
// tree, so that the cache can keep it.
type goFile struct {
	Package string
	Decls   []decl
	Members []string // names of fields and of interface methods: Order.Total
	Wrong   string   // the first syntax error; then nothing else is known
}

// decl is a declaration with its lines.
type decl struct {
	Name, Recv string // Recv is the receiver's type, without star and parameters
	Pointer    bool   // of the receiver
	Func       bool
	Doc        int // where the doc comment begins; Start when there is none
	Start, End int // of its lines, without the last line ending
}

// title is the name as a reader would say it.
func (d *decl) title() string {
	switch {
	case d.Recv == "":
		return d.Name
	case d.Pointer:
		return "(*" + d.Recv + ")." + d.Name
	default:
		return d.Recv + "." + d.Name
	}
}

// golang reads the declarations of a Go file: from the cache when it knows
// this text, else with the parser.
func (s *sources) golang(f *source) *goFile {
	f.parse.Do(func() {
		key := keyOf(f.text)
		if f.code = s.cache.get(key, len(f.text)); f.code == nil {
			f.code = parseGo(f.text)
			s.cache.put(key, f.code)
		}
	})
	return f.code
}

func parseGo(text []byte) *goFile {
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, "", text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return &goFile{Wrong: syntaxError(err)}
	}
	r := goReader{text: text, file: files.File(tree.FileStart), code: &goFile{Package: tree.Name.Name}}
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			r.function(d)
		case *ast.GenDecl:
			r.group(d)
		}
	}
	return r.code
}

// syntaxError is the first of them: the others follow from it.
func syntaxError(err error) string {
	if list, ok := err.(goscanner.ErrorList); ok && len(list) > 0 {
		return fmt.Sprintf("line %d: %s", list[0].Pos.Line, list[0].Msg)
	}
	return err.Error()
}

type goReader struct {
	text []byte
	file *token.File
	code *goFile
}

// lines widens a stretch of the syntax tree to whole lines.
func (r *goReader) lines(from, to token.Pos) (start, end int) {
	start, end = r.file.Offset(from), r.file.Offset(to)
	start = 1 + bytes.LastIndexByte(r.text[:start], '\n')
	if n := bytes.IndexByte(r.text[end:], '\n'); n >= 0 {
		end += n
	} else {
		end = len(r.text)
	}
	if end > start && r.text[end-1] == '\r' {
		end--
	}
	return start, end
}

func (r *goReader) add(d decl, doc *ast.CommentGroup, from, to token.Pos) {
	d.Start, d.End = r.lines(from, to)
	d.Doc = d.Start
	if doc != nil {
		d.Doc, _ = r.lines(doc.Pos(), doc.Pos())
	}
	r.code.Decls = append(r.code.Decls, d)
}

func (r *goReader) function(f *ast.FuncDecl) {
	d := decl{Name: f.Name.Name, Func: true}
	if f.Recv != nil && len(f.Recv.List) > 0 {
		d.Recv, d.Pointer = receiver(f.Recv.List[0].Type)
	}
	r.add(d, f.Doc, f.Pos(), f.End())
}

func receiver(t ast.Expr) (name string, pointer bool) {
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t, pointer = x.X, true
		case *ast.ParenExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name, pointer
		default:
			return "", pointer
		}
	}
}

// group reads types, constants and variables. The first name of a group of
// constants or variables stands for all of it.
func (r *goReader) group(g *ast.GenDecl) {
	for i, spec := range g.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			r.members(spec.Name.Name, spec.Type)
			r.named(g, spec, spec.Name, spec.Doc, !g.Lparen.IsValid())
		case *ast.ValueSpec:
			for n, name := range spec.Names {
				r.named(g, spec, name, spec.Doc, !g.Lparen.IsValid() || i+n == 0)
			}
		}
	}
}

// named adds a name with the whole group, or with its own lines in it.
func (r *goReader) named(g *ast.GenDecl, spec ast.Spec, name *ast.Ident, doc *ast.CommentGroup, whole bool) {
	if whole {
		r.add(decl{Name: name.Name}, g.Doc, g.Pos(), g.End())
	} else {
		r.add(decl{Name: name.Name}, doc, spec.Pos(), spec.End())
	}
}

// members keeps the names of a type's fields and methods, for the prose.
func (r *goReader) members(name string, t ast.Expr) {
	var list *ast.FieldList
	switch t := t.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		list = t.Methods
	default:
		return
	}
	for _, f := range list.List {
		for _, n := range f.Names {
			r.code.Members = append(r.code.Members, name+"."+n.Name)
		}
		if len(f.Names) == 0 {
			r.code.Members = append(r.code.Members, name+".*") // whatever is embedded
		}
		if nested, ok := f.Type.(*ast.StructType); ok {
			for _, inner := range nested.Fields.List {
				for _, n := range inner.Names {
					r.code.Members = append(r.code.Members, name+"."+n.Name)
				}
			}
		}
	}
}

// find looks for what sym=… names: Func, Type, Type.Method or (*Type).Method,
// with type parameters or without. Where no function or type has the name
// alone, a method may. More than one can be found: init may be declared twice,
// and two types may have the method.
func (g *goFile) find(sym string) (found []*decl) {
	recv, name, method := strings.Cut(withoutParameters(sym), ".")
	if !method {
		recv, name = "", recv
	}
	bare := strings.Trim(recv, "(*)")
	for i := range g.Decls {
		d := &g.Decls[i]
		if d.Name == name && d.Recv == bare && (d.Pointer || !strings.Contains(recv, "*")) {
			found = append(found, d)
		}
	}
	if method || len(found) > 0 {
		return found
	}
	for i := range g.Decls {
		if d := &g.Decls[i]; d.Name == name {
			found = append(found, d)
		}
	}
	return found
}

// withoutParameters is a name without its type parameters, which are no part
// of it: (*List[T]).Add is (*List).Add.
func withoutParameters(sym string) string {
	open, shut := strings.IndexByte(sym, '['), strings.LastIndexByte(sym, ']')
	if open < 0 || shut < open {
		return sym
	}
	return sym[:open] + sym[shut+1:]
}

// near is the end of a message about a symbol that is not declared: the one
// that was most likely meant.
func (g *goFile) near(sym string) string {
	var names []string
	for i := range g.Decls {
		names = append(names, g.Decls[i].like(sym))
	}
	return template.Suggest(sym, names)
}

// enclosing is the declaration around an offset, or nil.
func (g *goFile) enclosing(offset int) *decl {
	for i := range g.Decls {
		if d := &g.Decls[i]; d.Start <= offset && offset <= d.End {
			return d
		}
	}
	return nil
}
