//go:build !linux

package mbox

import (
	"os"
	"syscall"
)

// tryLock locks a file. EAGAIN: somebody else has it. Where there is no lock of
// fcntl that belongs to the open file, that of flock does, and excludes both.
func tryLock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
