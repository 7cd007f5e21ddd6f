package postgres

// StatementsFor shows the tests the statements as they are sent.
func StatementsFor(schema string) map[string]string { return statementsFor(schema) }
