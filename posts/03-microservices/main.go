// Post 03: a registration over four services, each of which fails on its own.
package main

import (
	"embed"
	"io/fs"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
)

//go:embed templates/*.yaml
var templates embed.FS

//go:embed example.json
var example []byte

func main() { post.Run(thisPost) }

var thisPost = post.Post{
	Name:      "03-microservices",
	About:     "Registers a user with the four services of post 03 and shows every step.",
	Templates: []fs.FS{templates},
	Task:      "microservices/user_registration",
	Example:   example,
	Flags: []post.Flag{
		{Name: "service", Value: "NAME=FAULT", About: faultHelp, Check: checkFault},
		{Name: "breaker", Value: "N/COOLDOWN", About: breakerHelp, Check: checkBreaker},
		{Name: "log", Value: "FILE", About: logHelp, Check: checkLog},
	},
	Handlers: func(w *post.World) tasker.Handlers { return newRegistration(w).Handlers() },
	Services: services,
	Notes:    notes,
	Tell:     tell,
	Next: []string{
		"-service billing=503x2",
		"-service preferences=down -env test",
		"-service billing=down -env test",
		"-service notification=429x1:1s",
		"-service user=lostx1",
		"-n 50 -service billing=down -env test",
		"-n 50 -service billing=down -env test -breaker off",
		"-db postgres -crash-after setup_billing_profile",
		"-json",
	},
}
