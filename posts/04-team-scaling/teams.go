package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/customersuccess"
	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/inventory"
	"github.com/tasker-systems/tasker-go/posts/04-team-scaling/payments"
	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/post"
	"github.com/tasker-systems/tasker-go/tasker/template"
)

// Team is what one team deploys. It owns a namespace, and everything it brings
// is in there.
type Team struct {
	Namespace string
	Templates fs.FS
	Handlers  func(*post.World) tasker.Handlers
}

var teams = []Team{
	{payments.Namespace, payments.Templates,
		func(w *post.World) tasker.Handlers { return payments.New(w).Handlers() }},
	{customersuccess.Namespace, customersuccess.Templates,
		func(w *post.World) tasker.Handlers { return customersuccess.New(w).Handlers() }},
	{inventory.Namespace, inventory.Templates, inventory.Handlers},
}

// clashes lists what two teams claim, and what a team claims outside of its
// namespace; nil when all of it goes together. The same name in two namespaces
// is no clash. Whoever deploys such teams learns of it before the first task,
// and not from the task that went to the wrong handler.
func clashes(teams []Team) error {
	var found []string
	owners := map[string]string{} // of templates and handlers, by their full names
	claim := func(team Team, what, name, namespace string) {
		owner, taken := owners[name]
		switch {
		case taken:
			found = append(found, fmt.Sprintf("%s deploys %s %s, which %s has deployed already; "+
				"give it another version, or a namespace of its own", team.Namespace, what, name, owner))
		case namespace != team.Namespace:
			found = append(found, fmt.Sprintf("%s deploys %s %s, which is outside of its namespace",
				team.Namespace, what, name))
		default:
			owners[name] = team.Namespace
		}
	}
	for _, team := range teams {
		templates, err := template.Load(team.Templates, "templates/*.yaml")
		if err != nil {
			return fmt.Errorf("the templates of %s: %w", team.Namespace, err)
		}
		for _, t := range templates {
			claim(team, "the template", t.String(), t.Namespace)
		}
		for _, name := range slices.Sorted(maps.Keys(team.Handlers(post.NewWorld()))) {
			namespace, _, _ := strings.Cut(name, ".")
			claim(team, "the handler", name, namespace)
		}
	}
	if len(found) > 0 {
		return errors.New(strings.Join(found, "; "))
	}
	return nil
}

func templatesOf(teams []Team) (all []fs.FS) {
	for _, team := range teams {
		all = append(all, team.Templates)
	}
	return all
}

// handlersOf is all that the teams bring. That they go together was found out
// before.
func handlersOf(teams []Team, w *post.World) tasker.Handlers {
	all := tasker.Handlers{}
	for _, team := range teams {
		maps.Copy(all, team.Handlers(w))
	}
	return all
}
