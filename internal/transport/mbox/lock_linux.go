package mbox

import (
	"io"
	"os"
	"syscall"
)

// setLock is F_OFD_SETLK: a lock that belongs to the open file, and not to the
// process, so that two deliveries of ours keep each other out as well. It
// excludes those who lock by fcntl, as mail readers do.
const setLock = 37

// tryLock locks a file. EAGAIN or EACCES: somebody else has it.
func tryLock(f *os.File) error {
	return syscall.FcntlFlock(f.Fd(), setLock, &syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart})
}
