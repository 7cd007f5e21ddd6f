// Command report prints tables of a results file: for every peer, variant and workload min/median/max of the rounds.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"sort"

	"github.com/tasker-systems/tasker-go/bench/internal/harness"
)

func med(v []float64) (lo, mid, hi float64) {
	sort.Float64s(v)
	return v[0], v[len(v)/2], v[len(v)-1]
}

func num(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

func tri(v []float64) string {
	lo, m, hi := med(v)
	return num(lo) + " / **" + num(m) + "** / " + num(hi)
}

func note(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

func main() {
	f, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	by := map[string][]harness.Result{}
	var order []string
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<24)
	for sc.Scan() {
		var r harness.Result
		if json.Unmarshal(sc.Bytes(), &r) != nil {
			continue
		}
		k := fmt.Sprintf("%s|%s %s %s c%d|%s", r.Workload, r.Peer, r.Variant, r.Note, r.Conc, r.Version)
		if _, ok := by[k]; !ok {
			order = append(order, k)
		}
		by[k] = append(by[k], r)
	}
	col := func(rs []harness.Result, g func(harness.Result) float64) []float64 {
		var v []float64
		for _, r := range rs {
			v = append(v, g(r))
		}
		return v
	}
	for _, w := range []string{"L5", "D8"} {
		fmt.Printf("\n### %s\n\n| peer | rounds | steps/s, backlog drain (min / **median** / max) | steps/s, submit+drain | submits/s | 1-task ms p50 | p99 | CPU µs/step worker+server | steps per CPU-second | peak RSS MiB (server) | write tx/step | WAL B/step |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n", w)
		for _, k := range order {
			rs := by[k]
			if rs[0].Workload != w {
				continue
			}
			var lat []float64
			for _, r := range rs {
				if len(r.Lat) > 5 {
					lat = append(lat, r.Lat...)
				}
			}
			sort.Float64s(lat)
			p50, p99 := "", ""
			if len(lat) > 0 {
				p50, p99 = num(harness.Pct(lat, .5)), num(harness.Pct(lat, .99))
			}
			cw, cs := col(rs, func(r harness.Result) float64 { return r.CPUusPerStep }), col(rs, func(r harness.Result) float64 { return r.ServerCPUusPerStep })
			_, a, _ := med(cw)
			_, b, _ := med(cs)
			_, rss, _ := med(col(rs, func(r harness.Result) float64 { return r.PeakRSSMiB }))
			_, srss, _ := med(col(rs, func(r harness.Result) float64 { return r.ServerRSSMiB }))
			_, wx, _ := med(col(rs, func(r harness.Result) float64 { return r.WriteXactPerStep }))
			_, wal, _ := med(col(rs, func(r harness.Result) float64 { return r.WALBytesPerStep }))
			drain := tri(col(rs, func(r harness.Result) float64 { return r.StepsPerSec }))
			if rs[0].Variant == "direct" {
				drain = "(runs as it submits)"
			}
			s := num(rss)
			if srss > 0 {
				s += " (" + num(srss) + ")"
			}
			fmt.Printf("| %s %s%s, conc %d | %d | %s | %s | %s | %s | %s | %s + %s | %s | %s | %s | %s |\n", rs[0].Peer, rs[0].Variant, note(rs[0].Note), rs[0].Conc, len(rs), drain,
				tri(col(rs, func(r harness.Result) float64 { return r.E2EStepsPerSec })), tri(col(rs, func(r harness.Result) float64 { return r.SubmitPerSec })),
				p50, p99, num(a), num(b), num(1e6/(a+b)), s, num(wx), num(wal))
		}
	}
}
