//go:build unix

package mdcheck

import "syscall"

func makePipe(file string) error { return syscall.Mkfifo(file, 0o644) }
