package post

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tasker-systems/tasker-go/tasker"
	"github.com/tasker-systems/tasker-go/tasker/memory"
	"github.com/tasker-systems/tasker-go/tasker/pglocal"
	"github.com/tasker-systems/tasker-go/tasker/postgres"
)

// database is where a run keeps its tasks and its world.
type database struct {
	store tasker.Store
	runs  *runs // nil in memory
	close func()

	lasting string // its URL, where it is there after this command and the URL may be shown
}

// The values of -db that are not URLs.
const (
	inMemory   = "memory"
	onPostgres = "postgres"
)

// isURL says whether -db names a database.
func isURL(db string) bool {
	return strings.HasPrefix(db, "postgres://") || strings.HasPrefix(db, "postgresql://")
}

// checkDB holds -db and what goes with it to what can be done. DATABASE_URL
// is the default, and the first place where -db postgres looks.
func (o *options) checkDB() error {
	from := "-db"
	if url := os.Getenv("DATABASE_URL"); url != "" && (o.db == "" || o.db == onPostgres) {
		if o.db, from = url, "DATABASE_URL"; !isURL(url) {
			return WrongUsage("DATABASE_URL is not a postgres:// URL; unset it, or use -db memory")
		}
	}
	if o.db == "" {
		o.db = inMemory
	}
	switch {
	case o.db == inMemory && o.crashAfter+o.crashIn != "":
		return WrongUsage("-crash-after, -crash-in: memory does not outlive the crash, so there would be nothing to go on with; they need -db postgres")
	case o.db == inMemory && o.keep:
		return WrongUsage("-keep: there is no local server to keep with -db memory")
	case o.db == inMemory, o.db == onPostgres:
		return nil
	case !isURL(o.db):
		name, _, _ := strings.Cut(o.db, ":") // what follows may hold a password
		return WrongUsage("-db %s: it must be memory, postgres or a postgres:// URL", name)
	case o.keep:
		return WrongUsage("-keep: %s names a server that this command does not start, so it stays as it is", from)
	}
	if _, err := pgxpool.ParseConfig(o.db); err != nil {
		return WrongUsage("%s: the URL does not look like postgres://user:password@host:port/database", from) // err may quote the password
	}
	return nil
}

// openDatabase opens what -db names. Its errors are [noDatabase].
func openDatabase(ctx context.Context, o *options, say func(string, ...any)) (*database, error) {
	switch o.db {
	case inMemory:
		return &database{store: memory.New(), close: func() {}}, nil
	case onPostgres:
		server, err := findServer(ctx, say)
		if err != nil {
			return nil, err
		}
		db, err := connect(ctx, server.url)
		if err != nil {
			server.stop()
			return nil, err
		}
		db.lasting = ""
		if o.keep {
			db.lasting = server.url
		}
		closeStore := db.close
		db.close = func() {
			if o.keep {
				say("the server runs on. Connect to it: psql '%s'", server.url)
				say("Stop it: %s", server.howToStop(db.runs.pool))
			}
			closeStore()
			if !o.keep {
				server.stop()
			}
		}
		return db, nil
	default:
		return connect(ctx, o.db)
	}
}

// connectLimit bounds how long a database may take to answer at first.
const connectLimit = 10 * time.Second

// connect opens the store and the tables of the runs.
func connect(ctx context.Context, url string) (*database, error) {
	limited, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	store, err := postgres.Open(limited, url, postgres.Options{})
	var r *runs
	if err == nil {
		if r, err = openRuns(limited, store.Pool(), lease); err == nil {
			return &database{store: store, runs: r, close: store.Close, lasting: withoutSecrets(url)}, nil
		}
		store.Close()
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, noDatabase(fmt.Sprintf("the database at %s cannot be used: %s", placeOf(url), reasonOf(err)))
}

// withoutSecrets is a URL that may be shown, "" when it holds a password.
func withoutSecrets(url string) string {
	config, err := pgconn.ParseConfig(url)
	if err != nil || config.Password != "" {
		return ""
	}
	return url
}

// reasonOf says in a few words why a connection did not come about. The
// driver tells of each address that it has tried, on a line each.
func reasonOf(err error) string {
	var answer *pgconn.PgError
	var dial *net.OpError
	var lookup *net.DNSError
	switch {
	case errors.As(err, &answer):
		return answer.Message
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("it does not answer within %s", connectLimit)
	case errors.As(err, &lookup):
		return "there is no host of that name"
	case errors.As(err, &dial):
		return strings.TrimPrefix(dial.Err.Error(), "connect: ")
	default:
		return oneLine(err)
	}
}

// placeOf is the part of a URL that may be shown.
func placeOf(url string) string {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return "the URL"
	}
	c := config.ConnConfig
	if strings.HasPrefix(c.Host, "/") {
		return c.Host
	}
	return net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port)))
}

// oneLine is an error for a terminal.
func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
}

// server is a PostgreSQL that this command has found or started.
type server struct {
	url       string
	stop      func()
	howToStop func(*pgxpool.Pool) string
}

// findServer goes down the ladder: the server binaries of this machine, then
// Docker.
func findServer(ctx context.Context, say func(string, ...any)) (*server, error) {
	patience := time.AfterFunc(300*time.Millisecond, func() { say("starting PostgreSQL; its very first start takes some seconds") })
	local, noLocal := pglocal.Shared(ctx, "")
	patience.Stop()
	if noLocal == nil {
		stop := func() {
			if err := local.Stop(); err != nil {
				say("%s", oneLine(err))
			}
		}
		return &server{local.URL(), stop, killCommand}, nil
	}
	var noDocker error
	if ctx.Err() == nil {
		var container *server
		if container, noDocker = startContainer(ctx, containerImage(), containerName(containerImage()), say); noDocker == nil {
			return container, nil
		}
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(noLocal, pglocal.ErrNoServer):
		return nil, noDatabase(fmt.Sprintf("no PostgreSQL was found: DATABASE_URL is not set, no server is installed, and %s; install one with \"apt-get install postgresql\" or \"brew install postgresql\"", oneLine(noDocker)))
	default:
		return nil, noDatabase(fmt.Sprintf("%s; and %s", oneLine(noLocal), oneLine(noDocker)))
	}
}

// killCommand stops the server of this machine, which says itself where its
// process id is.
func killCommand(pool *pgxpool.Pool) string {
	const otherwise = "run the command again without -keep"
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	var folder string
	if err := pool.QueryRow(ctx, "show data_directory").Scan(&folder); err != nil {
		return otherwise
	}
	return fmt.Sprintf("kill -INT $(head -n 1 '%s/postmaster.pid'), or %s", folder, otherwise)
}
