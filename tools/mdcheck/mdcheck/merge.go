package mdcheck

import "slices"

// anyLines alone on a line of a transcript stands for any lines, also none.
const anyLines = "..."

// maxCells bounds the table of an alignment; a longer output is taken as it is.
const maxCells = 8 << 20

// merge lays the lines of a fence beside those that were printed and gives
// what the fence should say: its own lines where they still hold, printed
// lines where they do not.
func (s *scrub) merge(expected, actual []string) (merged []string, changed bool) {
	if (len(expected)+1)*(len(actual)+1) > maxCells {
		for _, line := range actual {
			merged = append(merged, s.written(line))
		}
		return merged, true
	}
	a := align(s, expected, actual)
	if a.at(len(expected), len(actual)).cost == 0 {
		return expected, false
	}
	return a.merged(), true
}

// written is a printed line as the fence writes such lines: with the
// placeholders that it uses elsewhere.
func (s *scrub) written(line string) string { return replaceKinds(line, s.named) }

// alignment finds the fewest changes from the one list of lines to the other:
// the edit distance, in which a line ... takes in printed lines for nothing.
type alignment struct {
	scrub            *scrub
	expected, actual []line
	cells            []cell // by expected, by actual
}

// cell is about the first lines of both.
type cell struct {
	cost    int32 // changes between them
	matches bool  // the last expected line allows the last printed one
}

func (a *alignment) at(i, j int) *cell { return &a.cells[i*(len(a.actual)+1)+j] }

func align(s *scrub, expected, actual []string) *alignment {
	a := &alignment{scrub: s, expected: s.lines(expected), actual: s.lines(actual)}
	a.cells = make([]cell, (len(expected)+1)*(len(actual)+1))
	for j := range actual {
		a.at(0, j+1).cost = int32(j + 1)
	}
	for i := range expected {
		for j := range len(actual) + 1 {
			a.fill(i+1, j)
		}
	}
	return a
}

func (a *alignment) fill(i, j int) {
	c := a.at(i, j)
	if a.expected[i-1].text == anyLines {
		c.cost = a.at(i-1, j).cost
		if j > 0 {
			c.cost = min(c.cost, a.at(i, j-1).cost)
		}
		return
	}
	c.cost = a.at(i-1, j).cost + 1
	if j == 0 {
		return
	}
	c.matches = a.scrub.matches(&a.expected[i-1], &a.actual[j-1])
	both := a.at(i-1, j-1).cost
	if !c.matches {
		both++
	}
	c.cost = min(c.cost, a.at(i, j-1).cost+1, both)
}

// merged goes back through the cells from the end, by the cheapest way. Where
// a line was changed, as many are changed as stay.
func (a *alignment) merged() (lines []string) {
	for i, j := len(a.expected), len(a.actual); i > 0 || j > 0; {
		c := a.at(i, j)
		switch {
		case i > 0 && a.expected[i-1].text == anyLines:
			if j > 0 && a.at(i, j-1).cost == c.cost {
				j--
				continue
			}
			lines, i = append(lines, anyLines), i-1
		case i > 0 && j > 0 && c.matches && a.at(i-1, j-1).cost == c.cost:
			lines, i, j = append(lines, a.expected[i-1].written), i-1, j-1
		case i > 0 && j > 0 && a.at(i-1, j-1).cost+1 == c.cost:
			lines, i, j = append(lines, a.scrub.written(a.actual[j-1].text)), i-1, j-1
		case j > 0 && a.at(i, j-1).cost+1 == c.cost:
			lines, j = append(lines, a.scrub.written(a.actual[j-1].text)), j-1
		default:
			i-- // a line that is printed no more
		}
	}
	slices.Reverse(lines)
	return lines
}
