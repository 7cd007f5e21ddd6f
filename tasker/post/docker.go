package post

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// What runs in the container. Like that of docker-compose.yml it listens to
// this machine only.
const (
	dockerImage    = "postgres:16-alpine"
	dockerPassword = "tasker"
	dockerHealth   = "pg_isready --host=127.0.0.1 --username=tasker --dbname=tasker"
)

func containerImage() string { return cmp.Or(os.Getenv("TASKER_POSTGRES_IMAGE"), dockerImage) }

// containerName is one name for each image, so that the container is found
// again, with its data, also after a crash.
func containerName(image string) string {
	return "tasker-go-" + strings.Trim(notInNames.ReplaceAllString(image, "-"), "-")
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9]+`)

// startContainer finds or starts a PostgreSQL with the docker command.
func startContainer(ctx context.Context, image, name string, say func(string, ...any)) (*server, error) {
	if _, err := exec.LookPath("docker"); err != nil {
		return nil, errors.New("there is no docker command")
	}
	state, err := docker(ctx, "inspect", "--type=container", "--format={{.State.Status}}", name)
	switch {
	case err == nil && state == "running":
	case err == nil:
		_, err = docker(ctx, "start", name)
	default:
		say("starting PostgreSQL in Docker, image %s", image)
		_, err = docker(ctx, "run", "--detach", "--name="+name, "--publish=127.0.0.1::5432", "--stop-signal=SIGINT",
			"--env=POSTGRES_USER=tasker", "--env=POSTGRES_DB=tasker", "--env=POSTGRES_PASSWORD="+dockerPassword,
			"--health-cmd="+dockerHealth, "--health-interval=1s", "--health-timeout=5s", "--health-retries=60", image)
		if err != nil && strings.Contains(err.Error(), "already in use") {
			err = nil // another process is just starting it
		}
	}
	if err != nil {
		return nil, err
	}
	address, err := awaitHealth(ctx, name)
	if err != nil {
		return nil, err
	}
	url := fmt.Sprintf("postgres://tasker:%s@%s/tasker?sslmode=disable", dockerPassword, address)
	return &server{url, func() { stopContainer(url, name, say) }, func(*pgxpool.Pool) string { return "docker stop " + name }}, nil
}

// healthLimit is how long the first start of a container may take.
const healthLimit = time.Minute

// awaitHealth waits until the container's own check says that the server
// answers, and gives its address.
func awaitHealth(ctx context.Context, name string) (address string, err error) {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	for began := time.Now(); ; {
		health, err := docker(ctx, "inspect", "--format={{.State.Status}} {{.State.Health.Status}}", name)
		switch {
		case err != nil && time.Since(began) < callLimit: // it may be there in a moment
		case err != nil:
			return "", err
		case health == "running healthy":
			addresses, err := docker(ctx, "port", name, "5432/tcp")
			address, _, _ = strings.Cut(addresses, "\n")
			return address, err
		case strings.HasPrefix(health, "exited"), strings.HasPrefix(health, "dead"):
			return "", fmt.Errorf("the container %s has ended; docker logs %s says why", name, name)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return "", fmt.Errorf("PostgreSQL in the container %s does not answer", name)
		}
	}
}

// stopContainer stops the server unless others use it. The container stays,
// with its data.
func stopContainer(url, name string, say func(string, ...any)) {
	ctx, cancel := context.WithTimeout(context.Background(), healthLimit)
	defer cancel()
	if usedByOthers(ctx, url) {
		return
	}
	if _, err := docker(ctx, "stop", name); err != nil {
		say("%s", oneLine(err))
	}
}

func usedByOthers(ctx context.Context, url string) bool {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return false
	}
	defer pool.Close()
	var others bool
	const statement = "select exists (select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid())"
	return pool.QueryRow(ctx, statement).Scan(&others) == nil && others
}

// docker runs the command and gives what it prints. Its error is the last
// thing that the command had to say.
func docker(ctx context.Context, arguments ...string) (string, error) {
	var out, complaint bytes.Buffer
	c := exec.CommandContext(ctx, "docker", arguments...)
	c.Stdout, c.Stderr = &out, &complaint
	err := c.Run()
	if err == nil {
		return strings.TrimSpace(out.String()), nil
	}
	said := err.Error()
	for line := range strings.Lines(complaint.String()) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "Run 'docker") && !strings.HasPrefix(line, "See 'docker") {
			said = line
		}
	}
	return "", fmt.Errorf("docker %s: %s", arguments[0], strings.TrimPrefix(said, "docker: "))
}
