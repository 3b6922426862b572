package maildir

import (
	"io"
	"io/fs"

	"golang.org/x/sys/unix"
)

// newFile is a file that is being written: a descriptor and no more. An [os.File] asks
// the system about it first, is watched by the collector and may be shared; this one has
// one user, who closes it once.
type newFile struct {
	fd   int
	name string
}

// Write implements [io.Writer].
func (f *newFile) Write(p []byte) (written int, err error) {
	for written < len(p) && err == nil {
		n := 0
		err = again(func() (err error) {
			n, err = unix.Write(f.fd, p[written:])
			return err
		})
		if err == nil && n == 0 {
			err = io.ErrShortWrite
		}
		written += max(n, 0)
	}
	return written, f.fault("write", err)
}

// Sync makes the text durable.
func (f *newFile) Sync() error {
	return f.fault("sync", again(func() error { return unix.Fsync(f.fd) }))
}

// Close is not repeated when a signal interrupts it: the descriptor is gone even then.
func (f *newFile) Close() error { return f.fault("close", unix.Close(f.fd)) }

func (f *newFile) fault(op string, err error) error {
	if err == nil {
		return nil
	}
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// again repeats what a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
