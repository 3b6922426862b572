package maildrop

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncAround syncs the file system that a file is in.
func syncAround(f *os.File) error {
	return os.NewSyscallError("syncfs", unix.Syncfs(int(f.Fd())))
}
