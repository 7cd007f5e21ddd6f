package postgres

import "github.com/tasker-systems/tasker-go/tasker"

// StatementsFor shows the tests the statements as they are sent.
func StatementsFor(schema string) map[string]string { return statementsFor(schema) }

// List shows the tests the statement of a list, and its arguments.
func (s *Store) List(f *tasker.Filter) (text string, args []any) { return s.list(f) }
