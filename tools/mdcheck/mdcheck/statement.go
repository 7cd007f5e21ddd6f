package mdcheck

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// statements are those of a function with the stretches of the source that
// they take, in the order in which they begin. Blocks are none: their
// statements are.
func statements(text []byte, d *decl) (found []ast.Stmt, file *token.File, err error) {
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, "", text, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	file = files.File(tree.FileStart)
	for _, each := range tree.Decls {
		if at := file.Offset(each.Pos()); d != nil && (at < d.Start || at > d.End) {
			continue
		}
		ast.Inspect(each, func(n ast.Node) bool {
			switch s := n.(type) {
			case *ast.BlockStmt, *ast.EmptyStmt, *ast.LabeledStmt:
			case ast.Stmt:
				found = append(found, s)
			}
			return true
		})
	}
	return found, file, nil
}

// statement finds the one statement of a function whose text begins as given.
func statement(text []byte, d *decl, begins string) (span, error) {
	all, file, err := statements(text, d)
	if err != nil {
		return span{}, err
	}
	if !d.Func {
		return span{}, fmt.Errorf("%s is no function, so stmt=… finds nothing in it", d.title())
	}
	want := strings.Join(strings.Fields(begins), " ")
	var found []span
	for _, s := range all {
		at := span{file.Offset(s.Pos()), file.Offset(s.End())}
		if strings.HasPrefix(strings.Join(strings.Fields(string(text[at.start:at.end])), " "), want) {
			found = append(found, at)
		}
	}
	switch len(found) {
	case 0:
		return span{}, fmt.Errorf("no statement of %s begins with %q", d.title(), begins)
	case 1:
		return widen(text, found[0]), nil
	default:
		return span{}, fmt.Errorf("%d statements of %s begin with %q, at lines %d and %d; say more of it", len(found), d.title(), begins, lineOf(text, found[0].start), lineOf(text, found[1].start))
	}
}

// widen takes the indentation before a stretch and the comment behind it with
// it.
func widen(text []byte, at span) span {
	begin := startOfLine(text, at.start)
	if len(bytes.TrimSpace(text[begin:at.start])) == 0 {
		at.start = begin
	}
	rest := text[at.end:]
	if n := bytes.IndexByte(rest, '\n'); n >= 0 {
		rest = rest[:n]
	}
	if behind := bytes.TrimSpace(rest); len(behind) == 0 || bytes.HasPrefix(behind, []byte("//")) {
		at.end += len(bytes.TrimRight(rest, " \t\r"))
	}
	return at
}
