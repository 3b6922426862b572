package pebblespool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/sabotage"
	"github.com/posthouse/posthouse/internal/spool"
)

// Body files. A file's life, and what a crash between its steps leaves:
//
//  1. Numbers are reserved, some at a time: an intent for each is made durable.
//     (Intents without files: the next start drops them.)
//  2. The file is made and written while the data arrives.
//     (A file with an intent: the next start removes it.)
//  3. At commit the file and its directory are synced.  (The same.)
//  4. The batch of the message names the file and drops the intent, and is synced.
//     (The message is there, or the same as before.)
//  5. The batch that removes the message makes the intent again.
//  6. When that batch is durable, the file is removed, its directory synced, the intent dropped.
//
// So no file is ever without an intent or a message, and none that a message names is missing.
type files struct {
	dir     vfs.File      // for syncing
	reserve chan struct{} // held while numbers are taken
	first   uint64        // first number that this life may take
	next    uint64        // next number to be taken
	end     uint64        // reserved before this one
}

const (
	fileDir      = "bodies"
	reserveFiles = 64
	diskCategory = vfs.DiskWriteCategory("posthouse-spool")
)

func (s *Spool) makeDirs() error {
	for _, dir := range []string{s.dir, s.fs.PathJoin(s.dir, fileDir)} {
		if err := s.fs.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	for _, dir := range []string{s.fs.PathDir(s.dir), s.dir} {
		if err := s.fs.syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

func (s *Spool) filePath(number uint64) string {
	return s.fs.PathJoin(s.dir, fileDir, fmt.Sprintf("%012x", number))
}

// recover removes the files that belong to no message.
func (f *files) recover(s *Spool) (err error) {
	f.reserve = make(chan struct{}, 1)
	if f.next, err = s.metaNumber(metaFiles); err != nil {
		return err
	}
	f.next = max(f.next, 1)
	f.first, f.end = f.next, f.next
	var orphans []uint64
	err = s.scan(s.db, []byte{kIntent}, []byte{kIntent + 1}, func(key, _ []byte) bool {
		orphans = append(orphans, binary.BigEndian.Uint64(key[1:]))
		return true
	})
	if err != nil {
		return err
	}
	if f.dir, err = s.fs.OpenDir(s.fs.PathJoin(s.dir, fileDir)); err != nil {
		return err
	}
	return s.unlink(orphans)
}

// unlink removes files and then their intents.
func (s *Spool) unlink(numbers []uint64) error {
	if len(numbers) == 0 {
		return nil
	}
	b := s.db.NewBatch()
	defer b.Close()
	for _, n := range numbers {
		if err := s.fs.Remove(s.filePath(n)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		_ = b.Delete(numberKey(kIntent, n), nil) // a batch in memory does not fail
	}
	if err := s.files.dir.Sync(); err != nil {
		return err
	}
	return s.kept(b.Commit(pebble.NoSync))
}

// take reserves the number of a new file.
func (f *files) take(s *Spool) (uint64, error) {
	f.reserve <- struct{}{}
	defer func() { <-f.reserve }()
	if f.next == f.end {
		b := s.db.NewBatch()
		defer b.Close()
		end := f.end + reserveFiles
		for n := f.end; n < end; n++ {
			_ = b.Set(numberKey(kIntent, n), nil, nil)
		}
		_ = b.Set(metaFiles, binary.BigEndian.AppendUint64(nil, end), nil)
		if err := s.kept(b.Commit(pebble.Sync)); err != nil {
			return 0, err
		}
		f.end = end
	}
	f.next++
	return f.next - 1, nil
}

// bodyFile is the body of a draft that is large.
type bodyFile struct {
	s      *Spool
	number uint64
	file   vfs.File
	size   int64
	sum    uint32
}

func (s *Spool) newBodyFile() (*bodyFile, error) {
	n, err := s.files.take(s)
	if err != nil {
		return nil, err
	}
	f, err := s.fs.Create(s.filePath(n), diskCategory)
	if err != nil {
		return nil, err
	}
	f = vfs.NewSyncingFile(f, vfs.SyncingFileOptions{BytesPerSync: 1 << 20, NoSyncOnClose: true})
	return &bodyFile{s: s, number: n, file: f}, nil
}

// write appends to the file. It may change p, as a vfs.File may.
func (b *bodyFile) write(p []byte) error {
	b.size += int64(len(p))
	b.sum = crc32.Update(b.sum, spool.Castagnoli, p)
	if _, err := b.file.Write(p); err != nil {
		return err
	}
	return b.s.Err()
}

// seal makes the file durable.
func (b *bodyFile) seal() error {
	var err error
	if !sabotage.Is("the file of a body is not synced") {
		err = b.file.Sync()
	}
	err = errors.Join(err, b.file.Close())
	b.file = nil
	if err == nil && !sabotage.Is("the folder of bodies is not synced") {
		err = b.s.files.dir.Sync()
	}
	return errors.Join(err, b.s.Err())
}

// drop removes the file, soon.
func (b *bodyFile) drop() {
	if b.file != nil {
		_ = b.file.Close() // nobody will read it
	}
	b.s.mu.Lock()
	b.s.unlinks = append(b.s.unlinks, b.number)
	b.s.mu.Unlock()
	b.s.soon()
}
