package pebblespool

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// Latched is a file system as a spool has it.
func Latched(fs vfs.FS) vfs.FS { return newLatch(fs) }

// HoldSyncs has all who want a sync join one round, until they are let go.
func (s *Spool) HoldSyncs() (letGo func()) {
	s.syncs.turn <- struct{}{}
	return func() { <-s.syncs.turn }
}

// Shared is how many shared the last sync.
func (s *Spool) Shared() int { return s.syncs.last }

// Spoil flips a bit of the body record of a message.
func (s *Spool) Spoil(id mail.ID) {
	if err := s.flip(idKey(kBody, id)); err != nil {
		panic(err)
	}
}

func (s *Spool) flip(key []byte) error {
	b, err := s.get(key)
	if err != nil || len(b) == 0 {
		return errors.Join(err, errors.New("there is nothing to spoil"))
	}
	b[len(b)/2] ^= 4
	return s.db.Set(key, b, pebble.Sync)
}

// Damage does harm to the first record of a kind: "e" flips a bit of it, "-e"
// takes it away. "file" stands for the first body file, and "+file" for one too many.
func (s *Spool) Damage(what string) error {
	switch what {
	case "file", "-file", "+file":
		return s.damageFile(what)
	}
	kind := what[len(what)-1]
	var key []byte
	err := s.scan(s.db, []byte{kind}, []byte{kind + 1}, func(k, _ []byte) bool {
		key = append(key, k...)
		return false
	})
	if err != nil || key == nil {
		return errors.Join(err, errors.New("there is no such record"))
	}
	if what[0] == '-' {
		return s.db.Delete(key, pebble.Sync)
	}
	return s.flip(key)
}

func (s *Spool) damageFile(what string) error {
	dir := s.fs.PathJoin(s.dir, fileDir)
	names, err := s.fs.List(dir)
	if err != nil || len(names) == 0 {
		return errors.Join(err, errors.New("there is no body file"))
	}
	name := s.fs.PathJoin(dir, names[0])
	switch what {
	case "-file":
		return s.fs.Remove(name)
	case "+file":
		_, err := s.fs.Create(s.filePath(0xffff), diskCategory)
		return err
	}
	f, err := s.fs.OpenReadWrite(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.WriteAt([]byte("DAMAGE"), 100)
	return errors.Join(err, f.Close())
}

// SetVersion writes the version of a future program.
func (s *Spool) SetVersion(v uint64) error {
	return s.db.Set(metaVersion, binary.BigEndian.AppendUint64(nil, v), pebble.Sync)
}

// Held is how much memory a draft has for its content, in octets.
func Held(d spool.Draft) int { return cap(*d.(*draft).buf) }

// Break fails the disk.
func (s *Spool) Break(err error) { s.fs.fail(err) }
