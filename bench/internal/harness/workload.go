package harness

import "strings"

// Payload is what every step reads and writes: about 200 bytes of JSON.
type Payload struct {
	Task int    `json:"task"`
	Step string `json:"step"`
	Sum  int    `json:"sum"`
	Pad  string `json:"pad"`
}

var pad = strings.Repeat("0123456789abcdef", 10)[:150]

// First is the input of a task.
func First(task int) Payload { return Payload{Task: task, Step: "input", Sum: 0, Pad: pad} }

// Step is the no-op step: it reads its inputs and returns a small result.
func Step(name string, in ...Payload) Payload {
	p := Payload{Step: name, Pad: pad}
	for _, x := range in {
		p.Task = x.Task
		p.Sum += x.Sum
	}
	p.Sum++
	return p
}

// Steps gives the number of steps of a workload.
func Steps(workload string) int {
	switch workload {
	case "L5":
		return 5
	case "D8":
		return 8
	}
	panic("unknown workload " + workload)
}

// FinalSum is what the last step of a workload returns as its Sum, if every step had the right inputs.
func FinalSum(workload string) int {
	names, deps := DAG(workload)
	sums := make([]int, len(names))
	for i, d := range deps {
		for _, j := range d {
			sums[i] += sums[j]
		}
		sums[i]++
	}
	return sums[len(sums)-1]
}

// DAG gives the dependencies of each step of a workload, by index.
func DAG(workload string) (names []string, deps [][]int) {
	switch workload {
	case "L5":
		return []string{"s0", "s1", "s2", "s3", "s4"}, [][]int{nil, {0}, {1}, {2}, {3}}
	case "D8":
		return []string{"extract0", "extract1", "extract2", "transform0", "transform1", "transform2", "aggregate", "insights"},
			[][]int{nil, nil, nil, {0}, {1}, {2}, {3, 4, 5}, {6}}
	}
	panic("unknown workload " + workload)
}
