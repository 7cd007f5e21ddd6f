//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package pglocal

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user whom a server runs as when that is not our own; nil
// when it is.
type account struct {
	name     string
	uid, gid uint32
}

// serverAccount is whom root leaves the server to.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil && uid != 0 {
			return &account{name, uint32(uid), uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as; use another user, or name a server by its postgres:// URL")
}

func (a *account) String() string {
	if a == nil {
		return "this user"
	}
	return "the user " + a.name
}

// attributes start a process as the account, out of reach of Ctrl-C.
func (a *account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setsid: true}
	if a != nil {
		attributes.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attributes
}

// own gives a file to the account.
func (a *account) own(file string) error {
	if a == nil {
		return nil
	}
	return os.Chown(file, int(a.uid), int(a.gid))
}

// mayReach says whether the account can enter a folder, or the nearest one
// above it that exists.
func (a *account) mayReach(folder string) bool {
	for !exists(folder) && folder != filepath.Dir(folder) {
		folder = filepath.Dir(folder)
	}
	return a.test("-x", folder)
}

func (a *account) mayWrite(folder string) bool { return a.test("-w", folder) && a.test("-x", folder) }

// test asks the system as the account: permissions of every folder on the
// way count, and lists of access rights, which only the system knows.
func (a *account) test(what, file string) bool {
	if a == nil {
		return true // what our own user may not do fails where it is tried
	}
	c := exec.Command("/bin/sh", "-c", `test "$1" "$2"`, "sh", what, file)
	c.Dir, c.SysProcAttr = "/", a.attributes()
	return c.Run() == nil
}

// owns says whether a folder is the account's: not a link, and not one that
// others may write to.
func (a *account) owns(folder string) bool {
	uid := uint32(os.Geteuid())
	if a != nil {
		uid = a.uid
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == uid && info.IsDir() && info.Mode()&0o022 == 0
}

func processExists(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// interrupt asks a server to end: it drops its clients and writes its data.
func interrupt(pid int) error {
	if err := syscall.Kill(pid, syscall.SIGINT); !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}

// lockKind says whether others may have the lock too.
type lockKind int

const (
	exclusive lockKind = syscall.LOCK_EX
	together  lockKind = syscall.LOCK_SH
)

func tryLock(f *os.File, how lockKind) (bool, error) {
	for {
		err := syscall.Flock(int(f.Fd()), int(how)|syscall.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, syscall.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, syscall.EINTR):
			return false, fmt.Errorf("flock: %w", err)
		}
	}
}
