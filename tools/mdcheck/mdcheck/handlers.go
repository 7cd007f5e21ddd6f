package mdcheck

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strings"
)

// handlers are the files of a post's handlers: those that its front comment
// names, else those that declare what a tasker.Handlers{…} of the folder
// registers, else those of the folder that it shows.
func (c *check) handlers() (files []*source, err error) {
	if len(c.front.handlers) > 0 {
		for _, name := range c.front.handlers {
			f, err := c.source(name)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		}
		return files, nil
	}
	folder := path.Dir(c.path)
	if path.Base(c.path) != "README.md" || path.Base(path.Dir(folder)) != "posts" {
		return nil, nil
	}
	var all []*source
	registered := map[string]bool{}
	for _, name := range c.goFilesIn(".") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := c.source(name)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
		if strings.Contains(string(f.text), "Handlers{") {
			register(f.text, registered)
		}
	}
	for _, f := range all {
		declares := func(d decl) bool {
			return d.Func && (registered[d.Recv+"."+d.Name] || registered["?."+d.Name])
		}
		if slices.ContainsFunc(c.golang(f).Decls, declares) {
			files = append(files, f)
		}
	}
	for _, e := range c.shown {
		if len(registered) == 0 && slices.Contains(all, e.source) && !slices.Contains(files, e.source) {
			files = append(files, e.source)
		}
	}
	return files, nil
}

// register collects the functions that a literal of type Handlers names, as
// Type.Method and .Function; ?.Method where the type is not plain to see.
func register(text []byte, names map[string]bool) {
	tree, err := parser.ParseFile(token.NewFileSet(), "", text, parser.SkipObjectResolution)
	if err != nil {
		return
	}
	for _, d := range tree.Decls {
		types := map[string]string{} // of receiver and parameters, by name
		if f, ok := d.(*ast.FuncDecl); ok {
			fields := f.Type.Params.List
			if f.Recv != nil {
				fields = append(fields, f.Recv.List...)
			}
			for _, field := range fields {
				for _, name := range field.Names {
					types[name.Name], _ = receiver(field.Type)
				}
			}
		}
		ast.Inspect(d, func(n ast.Node) bool {
			if literal, ok := n.(*ast.CompositeLit); ok && lastIdent(literal.Type) == "Handlers" {
				registerIn(literal, types, names)
			}
			return true
		})
	}
}

func registerIn(literal *ast.CompositeLit, types map[string]string, names map[string]bool) {
	take := func(e ast.Expr) {
		switch e := e.(type) {
		case *ast.Ident:
			names["."+e.Name] = true
		case *ast.SelectorExpr:
			owner := types[lastIdent(e.X)]
			if owner == "" {
				owner = "?"
			}
			names[owner+"."+e.Sel.Name] = true
		}
	}
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		take(pair.Value)
		if call, ok := pair.Value.(*ast.CallExpr); ok {
			for _, arg := range call.Args {
				take(arg)
			}
		}
	}
}

func lastIdent(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}
