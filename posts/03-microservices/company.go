package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/tasker-systems/tasker-go/tasker/post"
)

// serviceNames are the four services, in the order in which reports have them.
var serviceNames = []string{"user", "billing", "preferences", "notification"}

// company is what all tasks of the process share: the four services, each on
// a port of its own, and before each of them its guard. What the services
// remember is not here but in the world of each task.
type company struct {
	addresses map[string]string // where a host listens: billing.internal -> 127.0.0.1:…
	guards    map[string]*guard
	scripts   map[string]*script
	http      *http.Client
	servers   []*httptest.Server
}

func companyOf(w *post.World) *company {
	return post.Share(w, "company", func() *company { return newCompany(w) })
}

func newCompany(w *post.World) *company {
	c := &company{
		addresses: map[string]string{}, guards: map[string]*guard{}, scripts: map[string]*script{},
	}
	routes := map[string]func(*service){
		"user":         newUserService(w).routes,
		"billing":      newBillingService(w).routes,
		"preferences":  newPreferencesService(w).routes,
		"notification": newNotificationService(w).routes,
	}
	log := accessLog(w)
	w.AtEnd(c.close)
	for _, name := range serviceNames {
		c.scripts[name] = scriptFor(name, w.Flag("service"))
		s := &service{name: name, mux: http.NewServeMux(), script: c.scripts[name], log: log}
		routes[name](s)
		c.open(s)
		c.guards[name] = newGuard(w, name)
	}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext: c.dial,
		// On a connection that was used before, net/http repeats by itself a
		// request that has an idempotency key. We want to see each failure.
		DisableKeepAlives: true,
	}}
	return c
}

// open starts a service's server.
func (c *company) open(s *service) {
	server := httptest.NewServer(s)
	c.servers = append(c.servers, server)
	c.addresses[s.name+".internal:80"] = server.Listener.Addr().String()
}

// close ends the servers, with what is under way.
func (c *company) close() {
	for _, server := range c.servers {
		server.CloseClientConnections()
		server.Close()
	}
}

// dial stands in for the company's name service.
func (c *company) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if real, known := c.addresses[address]; known {
		address = real
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

// patience is the wait after a 429 that names none.
var patience = map[string]time.Duration{
	"user":         60 * time.Second,
	"billing":      60 * time.Second,
	"preferences":  60 * time.Second,
	"notification": 30 * time.Second,
}

func (c *company) client(name string) *Client {
	return &Client{http: c.http, guard: c.guards[name], wait: patience[name]}
}

// services tells what this process asked of each service.
func services(w *post.World) (all []post.Service) {
	c := companyOf(w)
	for _, name := range serviceNames {
		g := c.guards[name]
		all = append(all, post.Service{
			Name: name, Breaker: g.state(),
			Calls: int(g.calls.Load()), Failures: int(g.failures.Load()), Spared: int(g.spared.Load()),
		})
	}
	return all
}
