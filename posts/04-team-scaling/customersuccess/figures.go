package customersuccess

import "github.com/tasker-systems/tasker-go/tasker"

// Figures are what a task left behind at the team's services.
type Figures struct {
	Tickets map[string]string `json:"tickets"` // status by ticket_id
}

// Figures reads the world of a task.
func (d *Desk) Figures(task tasker.ID) Figures {
	f := Figures{Tickets: map[string]string{}}
	d.Tickets.board.Of(task, func(b Board) {
		for id, ticket := range b {
			f.Tickets[id] = ticket.Status
		}
	})
	return f
}
