//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package pglocal

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
)

// This system lacks what the package is built on: sessions and file locks.
// serverAccount says so, and nothing else here is reached.

type account struct{}

func serverAccount() (*account, error) {
	return nil, fmt.Errorf("%w that could be run on %s; name a server by its postgres:// URL", ErrNoServer, runtime.GOOS)
}

func (a *account) String() string                   { return "this user" }
func (a *account) attributes() *syscall.SysProcAttr { return nil }
func (a *account) own(string) error                 { return nil }
func (a *account) owns(string) bool                 { return true }
func (a *account) mayReach(string) bool             { return true }
func (a *account) mayWrite(string) bool             { return true }
func processExists(int) bool                        { return false }
func interrupt(int) error                           { return nil }

type lockKind int

const exclusive, together lockKind = 0, 1

func tryLock(*os.File, lockKind) (bool, error) { return true, nil }
