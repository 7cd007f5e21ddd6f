package pglocal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"path/filepath"
	"time"
)

// maxSocketPath is what the path of a Unix socket may have, on the strictest
// system: 104 bytes with the final zero.
const maxSocketPath = 103

func fitsSocket(folder string) bool {
	return len(filepath.Join(folder, socketName)) <= maxSocketPath
}

// temporaryFolder makes a folder for a server that is thrown away: in the
// folder for temporary files, unless that is too long for a socket, or out of
// reach for the server's user.
func temporaryFolder(as *account) (string, error) {
	const pattern = "tasker-go-"
	longest := pattern + "4294967295"
	for _, parent := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if !fitsSocket(filepath.Join(parent, longest)) || !as.mayWrite(parent) {
			continue
		}
		folder, err := os.MkdirTemp(parent, pattern)
		if err != nil {
			continue
		}
		return folder, as.own(folder)
	}
	return "", fmt.Errorf("no folder for a temporary PostgreSQL: %s may write neither to %s nor to /tmp and /var/tmp", as, os.TempDir())
}

// sharedFolder is the folder that holds the data of the shared server and its
// locks. The user's cache folder is the place, but the home of root is closed
// to the user whom the server then runs as: root has a folder in /var/tmp.
func sharedFolder(folder string, as *account) (string, error) {
	if folder == "" {
		cache, err := os.UserCacheDir()
		if err == nil {
			folder = filepath.Join(cache, "tasker-go")
		}
		if err != nil || !as.mayReach(cache) {
			return openFolder(fmt.Sprintf("/var/tmp/tasker-go-%d", os.Getuid()), nil)
		}
	}
	folder, err := filepath.Abs(folder)
	if err != nil {
		return "", fmt.Errorf("the folder of the shared PostgreSQL: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", fmt.Errorf("the folder of the shared PostgreSQL: %w", err)
	}
	if !as.mayReach(folder) {
		return "", fmt.Errorf("PostgreSQL would run as %s, who cannot enter %s; choose another folder by XDG_CACHE_HOME", as, folder)
	}
	return folder, nil
}

// socketFolder is where the shared server has its socket: with its data, or,
// where that path is too long, in a folder of its own with a name that every
// process finds.
func socketFolder(data string, as *account) (string, error) {
	if fitsSocket(data) {
		return data, nil
	}
	return openFolder(fmt.Sprintf("/tmp/tasker-go-%d-%08x", os.Getuid(), crc32.ChecksumIEEE([]byte(data))), as)
}

// openFolder makes a folder where anybody may make one, and does not take one
// that somebody else has made there before us.
func openFolder(folder string, owner *account) (string, error) {
	err := os.Mkdir(folder, 0o755)
	if err == nil {
		err = owner.own(folder)
	}
	if err != nil && !errors.Is(err, os.ErrExist) {
		return "", fmt.Errorf("a folder for the shared PostgreSQL: %w", err)
	}
	if !owner.owns(folder) {
		return "", fmt.Errorf("a folder for the shared PostgreSQL: %s is there and belongs to somebody else; remove it", folder)
	}
	return folder, nil
}

// listens says whether anybody has the socket open.
func listens(socket string) bool {
	c, err := net.DialTimeout("unix", filepath.Join(socket, socketName), time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}
