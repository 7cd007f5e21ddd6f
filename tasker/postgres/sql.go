package postgres

import (
	"embed"
	"io/fs"
	"path"
	"strings"

	"github.com/jackc/pgx/v5"
)

//go:embed sql/*.sql
var sqlFiles embed.FS

//go:embed migrations/*.sql
var migrationFiles embed.FS

// rowColumns are the columns of a task's row, in the order that rowTarget
// scans them. In the files they are {row}.
const rowColumns = `t.id, t.parent, t.root, t.template, t.environment, t.priority, t.correlation_id, t.tag, t.identity,
       t.input_hash, t.retry_ended, t.state, t.owner, t.wake_at, t.poke, t.created_at, t.finished_at`

// statements are the texts of sql/, by name, for one schema. Every name in
// them is qualified, so that no session state decides what they mean.
type statements map[string]string

func statementsFor(schema string) statements {
	all := statements{}
	for name, text := range read(sqlFiles, "sql", schema) {
		all[strings.TrimSuffix(name, ".sql")] = strings.ReplaceAll(text, "{row}", rowColumns)
	}
	return all
}

// read gives the files of a folder by name. They are written for a schema
// named tasker, which is replaced.
func read(files embed.FS, folder, schema string) map[string]string {
	texts := map[string]string{}
	entries, _ := fs.ReadDir(files, folder) // embedded, so it is there
	for _, entry := range entries {
		text, _ := files.ReadFile(path.Join(folder, entry.Name()))
		texts[entry.Name()] = strings.ReplaceAll(string(text), "tasker.", pgx.Identifier{schema}.Sanitize()+".")
	}
	return texts
}
