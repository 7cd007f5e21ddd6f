package mdcheck

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// unified is the difference between two texts, with the names and the line
// numbers of the files that they are parts of: each begins so many lines into
// its file.
func unified(oldName string, old []byte, oldLines int, newName string, new []byte, newLines int) string {
	text := diff.Diff(oldName, old, newName, new)
	_, text, _ = bytes.Cut(text, []byte("\n")) // the command that no one ran
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		var a, n, c, m int
		if _, err := fmt.Sscanf(line, "@@ -%d,%d +%d,%d @@", &a, &n, &c, &m); err == nil {
			line = fmt.Sprintf("@@ -%d,%d +%d,%d @@\n", a+oldLines, n, c+newLines, m)
		}
		b.WriteString(line)
	}
	return b.String()
}

// differ counts the lines of a difference as a reader would: one that changed
// is one.
func differ(diff string) string {
	gone, come, total := 0, 0, 0
	for line := range strings.Lines(diff) {
		switch {
		case strings.HasPrefix(line, "--- "), strings.HasPrefix(line, "+++ "):
		case line[0] == '-':
			gone++
		case line[0] == '+':
			come++
		default:
			total += max(gone, come)
			gone, come = 0, 0
		}
	}
	total += max(gone, come)
	if total == 1 {
		return "1 line differs"
	}
	return count(total, "line") + " differ"
}
