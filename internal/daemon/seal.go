package daemon

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/posthouse/posthouse/internal/config"
)

// leastKey is the shortest secret that anything is sealed with, in octets.
const leastKey = 16

// sealFile is in the data directory.
const sealFile = "seal.key"

// sealKey is the key that tokens are sealed with, and names hidden: of the configuration, or one of our
// own in the data directory.
func (b *builder) sealKey() func() ([]byte, error) {
	if b.seal == nil {
		b.seal = b.findSealKey()
	}
	return b.seal
}

func (b *builder) findSealKey() func() ([]byte, error) {
	if s := &b.cfg.SealKey; s.Given() {
		key, ok := b.secret(s)
		if ok && len(key) < leastKey {
			b.add(s.Origin(), "the key that tokens are sealed with has fewer than %d octets", leastKey)
		}
		return func() ([]byte, error) { return key, nil }
	}
	name := filepath.Join(b.cfg.Data.Value, sealFile)
	return func() ([]byte, error) { return b.world.ownKey(name) }
}

// ownKey reads a key that was made here, or makes one.
func (w *World) ownKey(name string) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		key, err := w.private(name)
		if err == nil && len(key) < leastKey {
			err = fmt.Errorf("%s is damaged: remove it, and log in at the relays again", name)
		}
		return key, err
	}
	if err != nil {
		return nil, err
	}
	key := []byte(rand.Text() + rand.Text())
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(name))
	}
	return key, nil
}

// buildVeil finds what hides the names that are typed at a login, if anybody logs in.
func (b *builder) buildVeil(r *rooms) error {
	if r.accounts != nil {
		r.veil = b.sealKey()
	}
	return nil
}

// veil hides the names that are typed at a login where their failures are counted: in the spool, which others may read.
// Nodes that share a spool count names together if they share the key.
func (h *House) veil(r *rooms, c *config.Config) {
	if r.veil == nil {
		return
	}
	if c.Spool.Shared() && !c.SealKey.Given() {
		h.world.Log.Warn("failed logins of a name are counted by each node for itself: give all nodes the same seal_key")
	}
	key, err := r.veil()
	if err == nil {
		err = h.book.Veil(key)
	}
	if err != nil {
		h.world.Log.Warn("failed logins of a name are counted anew when this process ends", "error", err)
	}
}
