package taskertest

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/ory/dockertest/v3"
	"github.com/ory/dockertest/v3/docker"
)

const (
	dockerImage = "postgres:16-alpine"
	dockerLimit = time.Minute // for the first answer of the server
)

// startInDocker runs a PostgreSQL in a container that ends with this process.
func startInDocker() (string, error) {
	pool, err := dockertest.NewPool("")
	if err != nil {
		return "", err
	}
	if err := pool.Client.Ping(); err != nil {
		return "", fmt.Errorf("no Docker engine answers (%w); start one, or install PostgreSQL with \"apt-get install postgresql\" or \"brew install postgresql\"", err)
	}
	image := cmp.Or(os.Getenv("TASKER_POSTGRES_IMAGE"), dockerImage)
	repository, tag := splitImage(image)
	password := rand.Text()
	container, err := pool.RunWithOptions(&dockertest.RunOptions{
		Repository: repository, Tag: tag,
		Env: []string{"POSTGRES_USER=tasker", "POSTGRES_PASSWORD=" + password, "POSTGRES_DB=tasker"},
		Cmd: []string{"postgres", "-c", "max_connections=200", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"},
	}, func(host *docker.HostConfig) { host.AutoRemove = true })
	if err != nil {
		return "", fmt.Errorf("the image %s does not start (%w); name one that is there by TASKER_POSTGRES_IMAGE", image, err)
	}
	endWithProcess(container)
	address := url.URL{Scheme: "postgres", User: url.UserPassword("tasker", password), Host: container.GetHostPort("5432/tcp"), Path: "tasker", RawQuery: "sslmode=disable"}
	pool.MaxWait = dockerLimit
	if err := pool.Retry(func() error { return answersAt(address.String()) }); err != nil {
		return "", fmt.Errorf("PostgreSQL in the image %s does not answer: %w", image, err)
	}
	return address.String(), nil
}

// endWithProcess has a shell in the container read from us. When this process
// ends, in whatever way, its input ends, and it stops the server, which is the
// container's first process. (dockertest's Expire sends the signal to stop at
// once, and waits only before it kills, so a server is of no use after it.)
func endWithProcess(container *dockertest.Resource) {
	never, _ := io.Pipe()
	watch := []string{"sh", "-c", "cat >/dev/null; while kill -INT 1; do sleep 1; done"}
	go func() { _, _ = container.Exec(watch, dockertest.ExecOptions{StdIn: never}) }() // it lasts as long as we do
}

func answersAt(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	return c.Ping(ctx)
}

// splitImage takes the tag from an image's name. The host in front may have a
// port, so that a colon before the last slash is none of it.
func splitImage(image string) (repository, tag string) {
	if colon := strings.LastIndexByte(image, ':'); colon > strings.LastIndexByte(image, '/') {
		return image[:colon], image[colon+1:]
	}
	return image, "latest"
}
