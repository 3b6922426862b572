package maildir

import (
	"bufio"
	"errors"
	"io"

	"github.com/posthouse/posthouse/internal/sabotage"
)

// draftBuffer is what a draft gathers before it writes, in octets: SMTP brings
// a message in small pieces. One that is known to be shorter gets no more than it
// needs.
const draftBuffer = 32 * 1024

// errEnded is the error of every use of a draft after its end.
var errEnded = errors.New("maildir: the draft was committed or aborted before")

// Draft is a message on its way into a Maildir. It has one user at a time and
// ends with Commit or Abort; an Abort after either does nothing, so that it can
// be deferred.
type Draft struct {
	dir   *Maildir
	name  string
	file  File
	buf   *bufio.Writer
	size  int64
	ended bool
}

func newDraft(m *Maildir, name string, f File, size int64) *Draft {
	// Only a Writer: as an os.File it would have a buffer of its own for ReadFrom.
	out := struct{ io.Writer }{f}
	return &Draft{dir: m, name: name, file: f, buf: bufio.NewWriterSize(out, int(min(max(size, 1), draftBuffer)))}
}

// Write adds to the message. After an error the draft cannot be committed.
func (d *Draft) Write(p []byte) (int, error) {
	if d.ended {
		return 0, errEnded
	}
	n, err := d.buf.Write(p)
	d.size += int64(n)
	return n, err
}

// ReadFrom adds all that r has, without a buffer of the caller between.
func (d *Draft) ReadFrom(r io.Reader) (int64, error) {
	if d.ended {
		return 0, errEnded
	}
	n, err := d.buf.ReadFrom(r)
	d.size += n
	return n, err
}

// Size returns the number of octets written so far.
func (d *Draft) Size() int64 { return d.size }

// Commit makes the message visible to readers and returns its file's name
// within the Maildir, such as "new/1700000000.M1P2Q3R4.host". When it returns
// without an error the message is on stable storage. When it returns an error
// the message is gone, as after Abort, unless a reader was quick to take it.
func (d *Draft) Commit() (name string, err error) {
	if d.ended {
		return "", errEnded
	}
	if err := d.finish(); err != nil {
		d.Abort()
		return "", err
	}
	d.ended = true
	tmp, name := "tmp/"+d.name, "new/"+d.name
	if err := d.dir.disk.Rename(tmp, name); err != nil {
		return "", errors.Join(err, d.dir.disk.Remove(tmp))
	}
	if sabotage.Is("the folder of a Maildir is not synced") {
		return name, nil
	}
	if err := d.dir.news.sync(); err != nil {
		return "", errors.Join(err, d.dir.disk.Remove(name))
	}
	return name, nil
}

// finish brings the whole text to the disk and closes the file.
func (d *Draft) finish() error {
	if err := d.buf.Flush(); err != nil {
		return err
	}
	if !sabotage.Is("the file of a Maildir is not synced") {
		if err := d.file.Sync(); err != nil {
			return err
		}
	}
	file := d.file
	d.file = nil
	return file.Close()
}

// Abort gives the message up and leaves nothing of it behind.
func (d *Draft) Abort() {
	if d.ended {
		return
	}
	d.ended = true
	if d.file != nil {
		_ = d.file.Close() // the file goes away, whatever was wrong with it
	}
	_ = d.dir.disk.Remove("tmp/" + d.name) // what cannot be removed now is stale in 36 hours
}
