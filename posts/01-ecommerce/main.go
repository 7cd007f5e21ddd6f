// Post 01: a checkout that charges once and loses no order.
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
	Name:      "01-ecommerce",
	About:     "Runs an order through the checkout of post 01 and shows every step.",
	Templates: []fs.FS{templates},
	Task:      "ecommerce/process_order",
	Example:   example,
	Handlers:  func(w *post.World) tasker.Handlers { return newShop(w).Handlers() },
	Notes:     notes,
	Tell:      tell,
	Next: []string{
		"-fail process_payment=2",
		"-fail send_confirmation=5",
		"-fail create_order=permanent",
		"-fail process_payment=3",
		"-db postgres -crash-after process_payment",
		"-json",
	},
}
