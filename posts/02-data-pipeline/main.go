// Post 02: a data pipeline whose sources fail one at a time.
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
	Name:      "02-data-pipeline",
	About:     "Runs the analytics pipeline of post 02 and shows every step.",
	Templates: []fs.FS{templates},
	Task:      "data_pipeline/analytics_pipeline",
	Example:   example,
	Flags: []post.Flag{
		{
			Name: "source", Value: "NAME=ANSWER[xN]", Check: checkStrike,
			About: "sales, inventory or crm answers " + answerNames() + " to its first N reads",
		},
		{
			Name: "monitor", Value: "FAULT", Check: checkMonitor,
			About: "the monitor is broken: panic or stuck",
		},
	},
	Handlers:  func(w *post.World) tasker.Handlers { return newPipeline(w).Handlers() },
	Configure: watch,
	Notes:     notes,
	Tell:      tell,
	Next: []string{
		"-source crm=503x2",
		"-env test -source crm=503",
		"-source inventory=holes",
		"-n 2",
		"-n 2 -key night-2025-12-01",
		"-monitor panic",
		"-db postgres -crash-after transform_sales",
		"-json",
	},
}
