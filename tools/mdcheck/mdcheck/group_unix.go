//go:build unix

package mdcheck

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a command into a session of its own: it has no terminal to
// ask, and it and all that it starts can be stopped together.
func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
