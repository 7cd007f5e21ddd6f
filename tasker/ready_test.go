package tasker

import (
	"fmt"
	"strings"
	"testing"
)

func TestSlotsGoRoundTheNamespacesThenByPriorityAndEveryEighthToTheOldest(t *testing.T) {
	t.Parallel()
	var r ready
	names := map[*held]string{}
	add := func(namespace string, priority int, age byte) {
		h := &held{row: Row{Namespace: namespace, Priority: priority, ID: ID{15: age}}}
		names[h] = fmt.Sprintf("%s%d", namespace, age)
		r.push(h)
	}
	add("a", -5, 1) // the oldest, and the least pressing
	for age := byte(2); age < 12; age++ {
		add("a", 0, age)
		add("b", 0, age+100)
	}
	add("a", 9, 50) // the most pressing
	var picked []string
	for range 10 {
		if r.pick(func(*held) bool { return false }) != nil { // and this is no turn
			t.Error("a slot is given though nothing may start")
		}
		h := r.pick(func(*held) bool { return true })
		picked = append(picked, names[h])
		r.remove(h)
	}
	want := "a50 b102 a2 b103 a3 b104 a4 a1 b105 a5"
	if got := strings.Join(picked, " "); got != want {
		t.Errorf("the slots go to %s, want %s", got, want)
	}
	onlyB := r.pick(func(h *held) bool { return h.row.Namespace == "b" })
	if names[onlyB] != "b106" {
		t.Errorf("with a at its limit the slot goes to %s", names[onlyB])
	}
}
