package mdcheck

import "slices"

// anyLines alone on a line of a transcript stands for any lines, also none.
const anyLines = "..."

// maxCells bounds the table that merge fills.
const maxCells = 8 << 20

// merge lays the lines of a fence beside those that were printed and gives
// what the fence should say: its own lines where they still hold, printed
// lines where they do not. It finds the fewest changes, with the edit distance
// over lines, in which a line ... takes in any number of printed ones for
// nothing.
func (s *scrub) merge(expected, actual []string) (merged []string, changed bool) {
	rows, columns := len(expected)+1, len(actual)+1
	if rows*columns > maxCells {
		for _, line := range actual {
			merged = append(merged, s.written(line))
		}
		return merged, true
	}
	cost := make([]int32, rows*columns)
	matched := make([]bool, rows*columns)
	at := func(i, j int) int { return i*columns + j }
	for i := range rows {
		for j := range columns {
			switch {
			case i == 0:
				cost[at(i, j)] = int32(j)
				continue
			case expected[i-1] == anyLines:
				cost[at(i, j)] = cost[at(i-1, j)]
				if j > 0 {
					cost[at(i, j)] = min(cost[at(i, j)], cost[at(i, j-1)])
				}
				continue
			}
			best := cost[at(i-1, j)] + 1
			if j > 0 {
				best = min(best, cost[at(i, j-1)]+1)
				step := int32(1)
				if matched[at(i, j)] = s.matches(expected[i-1], actual[j-1]); matched[at(i, j)] {
					step = 0
				}
				best = min(best, cost[at(i-1, j-1)]+step)
			}
			cost[at(i, j)] = best
		}
	}
	if cost[at(rows-1, columns-1)] == 0 {
		return expected, false
	}
	for i, j := rows-1, columns-1; i > 0 || j > 0; {
		here := cost[at(i, j)]
		switch {
		case i > 0 && expected[i-1] == anyLines:
			if j > 0 && cost[at(i, j-1)] == here {
				j--
				continue
			}
			merged = append(merged, anyLines)
			i--
		case i > 0 && j > 0 && matched[at(i, j)] && cost[at(i-1, j-1)] == here:
			merged = append(merged, expected[i-1])
			i, j = i-1, j-1
		case i > 0 && j > 0 && cost[at(i-1, j-1)]+1 == here:
			merged = append(merged, s.written(actual[j-1]))
			i, j = i-1, j-1
		case j > 0 && cost[at(i, j-1)]+1 == here:
			merged = append(merged, s.written(actual[j-1]))
			j--
		default:
			i--
		}
	}
	slices.Reverse(merged)
	return merged, true
}

// written is a printed line as the fence writes such lines: with the
// placeholders that it uses elsewhere.
func (s *scrub) written(line string) string { return replaceKinds(line, s.named) }
