// Command report prints tables of a results file: for each workload the ratios to the fastest peer
// and to the floor, and with -all also minimum, median and maximum of everything measured.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"

	"github.com/tasker-systems/tasker-go/bench/internal/harness"
)

// row is all rounds of one system on one workload.
type row struct {
	harness.Result // the first round, for what does not change
	rounds         []harness.Result
}

func (r *row) name() string {
	s := strings.TrimSpace(r.Peer + " " + r.Variant)
	if r.Note != "" {
		s += " (" + r.Note + ")"
	}
	return s
}

func (r *row) isFloor() bool { return strings.HasSuffix(r.Peer, "floor") }

// isYardstick: the floors that a ratio is of do all that a step must, in the cheapest way.
func (r *row) isYardstick() bool { return r.isFloor() && (r.Variant == "log" || r.Variant == "json") }
func (r *row) isOurs() bool      { return r.Peer == "tasker" }

// durable systems are compared with each other, and those in memory with each other.
func (r *row) durable() bool { return r.Stored != harness.Memory }

func (r *row) each(g func(*harness.Result) float64) []float64 {
	v := make([]float64, len(r.rounds))
	for i := range r.rounds {
		v[i] = g(&r.rounds[i])
	}
	slices.Sort(v)
	return v
}

func (r *row) median(g func(*harness.Result) float64) float64 { return middle(r.each(g)) }

func (r *row) latency() (p50, p99 string) {
	var all []float64
	for i := range r.rounds {
		all = append(all, r.rounds[i].Lat...)
	}
	if len(all) < 10 {
		return "", ""
	}
	slices.Sort(all)
	return num(harness.Pct(all, .5)), num(harness.Pct(all, .99))
}

// against gives g of r as a multiple of base's, from the rounds that both have: what disturbs one
// round disturbs both.
func (r *row) against(base *row, g func(*harness.Result) float64) []float64 {
	var v []float64
	for i := range r.rounds {
		for j := range base.rounds {
			if r.rounds[i].Round == base.rounds[j].Round {
				v = append(v, g(&r.rounds[i])/g(&base.rounds[j]))
			}
		}
	}
	slices.Sort(v)
	return v
}

func e2e(r *harness.Result) float64  { return r.E2EStepsPerSec }
func wal(r *harness.Result) float64  { return r.WALBytesPerStep }
func mine(r *harness.Result) float64 { return r.CPUusPerStep }
func srv(r *harness.Result) float64  { return r.ServerCPUusPerStep }
func both(r *harness.Result) float64 { return mine(r) + srv(r) }

func middle(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
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

// measured is "" for what a system does not have.
func measured(v float64) string {
	if v == 0 {
		return ""
	}
	return num(v)
}

// fraction writes 0.066 as 1/15.
func fraction(v float64) string {
	if v > 0 && v < 1 {
		return "1/" + num(1/v)
	}
	return num(v)
}

func spread(v []float64) string {
	if len(v) == 0 {
		return ""
	}
	return num(v[0]) + " / **" + num(middle(v)) + "** / " + num(v[len(v)-1])
}

func read(name string) (rows []*row, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	by := map[string]*row{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var r harness.Result
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			continue // the last line of a run that was stopped
		}
		key := fmt.Sprint(r.Workload, "|", r.Peer, "|", r.Variant, "|", r.Note, "|", r.Conc, "|", r.Version)
		if by[key] == nil {
			by[key] = &row{Result: r}
			rows = append(rows, by[key])
		}
		by[key].rounds = append(by[key].rounds, r)
	}
	return rows, lines.Err()
}

func fastest(rows []*row, is func(*row) bool) (best *row) {
	for _, r := range rows {
		if is(r) && (best == nil || r.median(e2e) > best.median(e2e)) {
			best = r
		}
	}
	return best
}

// ratios prints one table: durable systems, or those in memory.
func ratios(workload string, rows []*row, where string) {
	if len(rows) == 0 {
		return
	}
	slices.SortStableFunc(rows, func(a, b *row) int { return int(b.median(e2e) - a.median(e2e)) })
	floor := fastest(rows, (*row).isYardstick)
	peer := fastest(rows, func(r *row) bool { return !r.isFloor() && !r.isOurs() })
	fmt.Printf("\n### %s, %s\n\n", workload, where)
	fmt.Println("| | rounds | submit+drain, steps/s (min / **median** / max) | × fastest peer | % of floor | one task, ms p50 | p99 | CPU µs/step (worker + server) | CPU, fastest peer = 1 | WAL B/step |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		var times, share, cost string
		if peer != nil {
			times = spread(r.against(peer, e2e))
			cost = fraction(middle(r.against(peer, both)))
		}
		if floor != nil {
			share = measured(100 * middle(r.against(floor, e2e)))
		}
		p50, p99 := r.latency()
		cpu := num(r.median(both))
		if server := r.median(srv); server > 0 {
			cpu += fmt.Sprintf(" (%s + %s)", num(r.median(mine)), num(server))
		}
		fmt.Printf("| %s | %d | %s | %s | %s | %s | %s | %s | %s | %s |\n",
			r.name(), len(r.rounds), spread(r.each(e2e)), times, share, p50, p99, cpu, cost, measured(r.median(wal)))
	}
	fmt.Println()
	if peer != nil {
		fmt.Printf("Fastest peer: %s. ", peer.name())
	}
	if floor != nil {
		fmt.Printf("Floor: %s. ", floor.name())
	}
	fmt.Println("Ratios are of the same round, then the median over the rounds.")
}

func everything(workload string, rows []*row) {
	fmt.Printf("\n### %s, everything\n\n", workload)
	fmt.Println("| | tasks | conc | backlog drain, steps/s (min / **median** / max) | submit+drain, steps/s | submits/s | peak RSS MiB (server) | write tx/step | verified | version |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		drain := spread(r.each(func(r *harness.Result) float64 { return r.StepsPerSec }))
		if r.Variant == "direct" {
			drain = "runs as it submits"
		}
		rss := num(r.median(func(r *harness.Result) float64 { return r.PeakRSSMiB }))
		if server := r.median(func(r *harness.Result) float64 { return r.ServerRSSMiB }); server > 0 {
			rss += " (" + num(server) + ")"
		}
		verified := ""
		if r.Verified {
			verified = "yes"
		}
		fmt.Printf("| %s | %d | %d | %s | %s | %s | %s | %s | %s | %s |\n", r.name(), r.N, r.Conc, drain, spread(r.each(e2e)),
			spread(r.each(func(r *harness.Result) float64 { return r.SubmitPerSec })), rss,
			measured(r.median(func(r *harness.Result) float64 { return r.WriteXactPerStep })), verified, r.Version)
	}
}

func main() {
	log.SetFlags(0)
	all := flag.Bool("all", false, "print everything measured")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: report [-all] RESULTS.jsonl")
	}
	rows, err := read(flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	if len(rows) == 0 {
		log.Fatalf("%s has no results", flag.Arg(0))
	}
	var loads []float64
	for _, r := range rows {
		loads = append(loads, r.each(func(r *harness.Result) float64 { return r.Load })...)
	}
	slices.Sort(loads)
	fmt.Printf("%d cores; load average at the start of the runs %s (min / **median** / max).\n", rows[0].Cores, spread(loads))
	for _, workload := range []string{"L5", "D8"} {
		var durable, inMemory []*row
		for _, r := range rows {
			switch {
			case r.Workload != workload:
			case r.durable():
				durable = append(durable, r)
			default:
				inMemory = append(inMemory, r)
			}
		}
		ratios(workload, durable, "kept on disk")
		ratios(workload, inMemory, "kept in memory")
		if *all && len(durable)+len(inMemory) > 0 {
			everything(workload, append(durable, inMemory...))
		}
	}
}
