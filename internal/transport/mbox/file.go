package mbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

var (
	errUnfit  = errors.New("it is no plain file that nobody may execute")
	errLocked = errors.New("another program has locked it for too long")
)

// append locks a file, has write put something behind what it holds, and syncs
// it. Whatever goes wrong before that leaves the file as long as it was.
func (t *Transport) append(ctx context.Context, name string, write func(*os.File) error) error {
	f, err := open(name)
	if err != nil {
		return err
	}
	defer f.Close() // which ends the lock; what was written is synced
	if err := t.lock(ctx, f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	err = finishLine(f, size)
	if err == nil {
		err = write(f)
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil && size == 0 { // whoever made it may not have come so far
		err = syncFolder(filepath.Dir(name))
	}
	if err != nil {
		return errors.Join(err, f.Truncate(size))
	}
	return nil
}

// open opens a file, which it makes if it is missing. It does not wait, whatever
// is in the place of a file.
func open(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		return nil, fmt.Errorf("%s is a symbolic link: %w", name, errUnfit)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Mode()&0o111 != 0) {
		err = fmt.Errorf("%s: %w", name, errUnfit)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lock waits for the lock of a file. Others who hold it do not tell when they
// are done, so it is asked for again and again.
func (t *Transport) lock(ctx context.Context, f *os.File) error {
	limited, cancel := context.WithTimeout(ctx, t.wait)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := tryLock(f)
		if !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EACCES) {
			return err
		}
		select {
		case <-limited.Done():
			return errors.Join(errLocked, ctx.Err())
		case <-time.After(pause):
		}
	}
}

// finishLine ends what a crash has left unfinished at the end of a file, so that
// the next message begins behind an empty line.
func finishLine(f *os.File, size int64) error {
	var end [2]byte
	n := min(size, int64(len(end)))
	if _, err := f.ReadAt(end[:n], size-n); err != nil {
		return err
	}
	missing := ""
	switch {
	case n == 0 || string(end[:n]) == "\n\n":
	case end[n-1] == '\n':
		missing = "\n"
	default:
		missing = "\n\n"
	}
	_, err := io.WriteString(f, missing)
	return err
}

func syncFolder(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
