package template

import (
	"fmt"
	"strings"
)

// Problem is one thing wrong with a template, or with what a template and the
// handlers expect of each other.
type Problem struct {
	File    string // as it was given to the loader; "" when there is none
	Line    int    // from 1; 0 when no line is to blame
	Key     string // where in the file: steps[2].retry.limit
	Message string // what is wrong and what to do about it
}

func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	return b.String() + p.Message
}

// Problems is everything wrong that was found, in the order of the file. As
// an error it prints one problem a line.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// longestWord is how long a name may be, in bytes. What is longer is none
// misspelt.
const longestWord = 255

// Suggest names the candidate that a misspelt word most likely stands for, as
// the end of a message; "" when none is near.
func Suggest(word string, candidates []string) string {
	if len(word) > longestWord {
		return ""
	}
	best := nearest(word, candidates)
	if best == "" || !strings.HasPrefix(best, word) && editDistance(word, best) > len(word)/3+1 {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// nearest is the candidate that takes the fewest letters to come to. One that
// begins with the whole word is nearer than any other.
func nearest(word string, candidates []string) (best string) {
	distance := 0
	for _, c := range candidates {
		d := editDistance(word, c)
		if strings.HasPrefix(c, word) {
			d = 0
		}
		if best == "" || d < distance || d == distance && c < best {
			best, distance = c, d
		}
	}
	return best
}

// editDistance counts the letters to change, add or leave out (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
