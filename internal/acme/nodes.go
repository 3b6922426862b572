package acme

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/caddyserver/certmagic"
)

// attempt is a try that failed, as its node leaves word of it: the authority counts the
// failures of all nodes as ours, so one of them tries and the others wait with it.
type attempt struct {
	Node     string    `json:"node"`
	Failures int       `json:"failures"`
	Next     time.Time `json:"next"`
	Reason   string    `json:"error"`
}

// Error implements error: it is why a node does not try.
func (a *attempt) Error() string { return fmt.Sprintf("%s, as node %q found", a.Reason, a.Node) }

// shared reports whether other nodes have the same certificates.
func (k *Keeper) shared() bool { return k.opts.Store != nil }

// Look takes up what other nodes have got, as Run does later: call it before, if the store could not
// be read when the keeper was opened.
func (k *Keeper) Look(ctx context.Context) {
	for _, h := range k.held {
		k.takeUp(ctx, h)
	}
}

// takeUp takes up a certificate that another node has got, and reports whether it did.
// What cannot be read now may be about to be written: it is for later.
func (k *Keeper) takeUp(ctx context.Context, h *held) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := k.authority.load(ctx, h.name)
	if err != nil {
		return false
	}
	if was := h.seen.Load().Certificate; was != nil && bytes.Equal(was.Certificate[0], c.Certificate[0]) {
		return false
	}
	k.use(h, c)
	return true
}

// tryAlone gets a certificate while no other node does, unless one has, or has found just
// before that there is none to be had.
func (k *Keeper) tryAlone(ctx context.Context, h *held, s *State) error {
	release, err := k.authority.alone(ctx, h.name)
	if err != nil {
		return err
	}
	defer release()
	if k.takeUp(ctx, h) {
		k.tell(h)
		if time.Now().Before(h.seen.Load().Next) {
			return nil
		}
	}
	other, err := k.authority.tried(ctx, h.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case other.Node != k.opts.Node && time.Now().Before(other.Next):
		return other
	}
	err = k.get(ctx, h)
	if ctx.Err() != nil {
		return err // the house ends
	}
	var word *attempt // nil: it went well
	if err != nil {
		n := s.Failures + 1
		word = &attempt{Node: k.opts.Node, Failures: n, Next: time.Now().Add(patience(n)), Reason: told(err).Error()}
	}
	if note := k.authority.leaveWord(ctx, h.name, word); note != nil && err == nil {
		k.opts.Log.Warn("other nodes cannot be told of a try", "name", h.name, "error", note)
	}
	return err
}

// alone waits until no other node gets a certificate for a name; until release is called, none
// does.
func (m *magic) alone(ctx context.Context, name string) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*longest)
	defer cancel()
	lock := "keep_" + certmagic.StorageKeys.Safe(name)
	if err := m.config.Storage.Lock(ctx, lock); err != nil {
		return nil, told(err)
	}
	return func() {
		_ = m.config.Storage.Unlock(context.WithoutCancel(ctx), lock) // others wait a minute longer
	}, nil
}

// wordKey is where word of failed tries is left.
func (m *magic) wordKey(name string) string {
	keys := certmagic.StorageKeys
	return path.Join("tries", keys.Safe(m.issuer.IssuerKey()), keys.Safe(name)+".json")
}

func (m *magic) tried(ctx context.Context, name string) (*attempt, error) {
	text, err := m.config.Storage.Load(ctx, m.wordKey(name))
	if err != nil {
		return nil, err
	}
	a := &attempt{}
	if json.Unmarshal(text, a) != nil {
		return nil, fs.ErrNotExist // it is overwritten by the next
	}
	return a, nil
}

func (m *magic) leaveWord(ctx context.Context, name string, a *attempt) error {
	if a == nil {
		return m.config.Storage.Delete(ctx, m.wordKey(name))
	}
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return m.config.Storage.Store(ctx, m.wordKey(name), text)
}
