package mdcheck

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
)

// statements are those of a Go file, in the order in which they begin. Blocks
// are none: their statements are.
func statements(text []byte) (found []ast.Stmt, file *token.File, err error) {
	files := token.NewFileSet()
	tree, err := parser.ParseFile(files, "", text, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch s := n.(type) {
		case *ast.BlockStmt, *ast.EmptyStmt:
		case ast.Stmt:
			found = append(found, s)
		}
		return true
	})
	return found, files.File(tree.FileStart), nil
}

// statement finds the one statement of a function whose text begins as given.
// Only the function is parsed again.
func statement(text []byte, d *decl, begins string) (span, error) {
	if !d.Func {
		return span{}, fmt.Errorf("%s is no function, so stmt=… finds nothing in it", d.title())
	}
	const clause = "package p;"
	all, file, err := statements(append([]byte(clause), text[d.Start:d.End]...))
	if err != nil {
		return span{}, err
	}
	want := strings.Join(strings.Fields(begins), " ")
	var found []span
	for _, s := range all {
		at := span{d.Start + file.Offset(s.Pos()) - len(clause), d.Start + file.Offset(s.End()) - len(clause)}
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
