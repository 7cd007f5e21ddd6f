// Post 05: a checkout that hangs, and how to see it.
package main

import (
	"embed"
	"fmt"
	"io/fs"
	"net"
	"net/url"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

//go:embed templates/*.yaml
var templates embed.FS

//go:embed example.json
var example []byte

func main() { post.Run(thisPost) }

var thisPost = post.Post{
	Name:      "05-observability",
	About:     "Runs the watched checkout of post 05, and shows its spans, metrics and log lines.",
	Templates: []fs.FS{templates},
	Task:      "ecommerce/monitored_checkout",
	Example:   example,
	Flags: []post.Flag{
		{
			Name: "incident", Value: "NAME", Check: checkIncident,
			About: incidentNames() + "; without it the checkout meets " + ownIncident + ", another customer's " + otherIncident,
		},
		{Name: "serve", Value: "ADDR", Check: checkAddress, About: "answer /metrics, /healthz, /readyz, /debug/events and /tasks there, until Ctrl-C"},
		{Name: "otlp", Value: "URL", Check: checkURL, About: "send spans to the collector there (OTLP/HTTP); OTEL_EXPORTER_OTLP_ENDPOINT sets it too"},
	},
	Handlers:  func(w *post.World) tasker.Handlers { return shopOf(w).Handlers() },
	Configure: configure,
	Attend:    attend,
	Notes:     notes,
	Tell:      tell,
	Conclude:  conclude,
	Next: []string{
		"-incident none",
		"-env test -incident hang",
		"-env test -incident pool",
		"-incident declined",
		"-hang process_payment=20s -env test",
		"-db postgres -crash-after update_inventory",
		"-serve localhost:8080",
		"-json",
	},
}

func shopOf(w *post.World) *Shop {
	name, _ := incidentOf(w)
	return newShop(w, incidents[name])
}

func checkAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err == nil && port != "" {
		_, err = net.LookupPort("tcp", port) // a number up to 65535, or a name such as http
	}
	if err != nil || port == "" {
		return fmt.Errorf("%q is no address; it looks like localhost:8080", address)
	}
	return nil
}

func checkURL(text string) error {
	if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("it must be a URL such as http://localhost:4318")
	}
	return nil
}
