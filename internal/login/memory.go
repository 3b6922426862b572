package login

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/posthouse/posthouse/internal/directory"
	"github.com/posthouse/posthouse/internal/password"
	"github.com/posthouse/posthouse/internal/spool"
)

// Memory keeps small values over a restart: every [spool.Engine] does.
type Memory interface {
	State(ctx context.Context, room, key string) (spool.State, error)
	PutState(ctx context.Context, state spool.State, was uint64) (version uint64, err error)
}

// Remembered is for how long a network is known from which somebody has logged in.
const Remembered = 90 * 24 * time.Hour

// again is how old a memory of a network is before it is made anew.
const again = 24 * time.Hour

// Rooms of states.
const (
	networksRoom = "login-networks" // by account and network
	secretsRoom  = "login-secrets"
	decoyKey     = "decoy"
)

func placeOf(t try) string { return t.name + " " + NetworkOf(t.client).String() }

// knows reports whether an account has logged in from a network before.
func (d *Door) knows(ctx context.Context, t try) bool {
	if d.opts.Memory == nil {
		return false
	}
	_, err := d.opts.Memory.State(ctx, networksRoom, placeOf(t))
	if err != nil && !errors.Is(err, spool.ErrNotFound) {
		d.opts.Log.Error("networks from which people have logged in cannot be looked up", "error", err)
	}
	return err == nil
}

// remember notes that an account has logged in from a network.
func (d *Door) remember(ctx context.Context, t try, now time.Time) {
	if d.opts.Memory == nil {
		return
	}
	is := spool.State{Room: networksRoom, Key: placeOf(t), Value: []byte{1}, Expires: now.Add(Remembered)}
	was, err := d.opts.Memory.State(ctx, is.Room, is.Key)
	if err == nil && was.Expires.After(is.Expires.Add(-again)) {
		return
	}
	if err == nil || errors.Is(err, spool.ErrNotFound) {
		_, err = d.opts.Memory.PutState(ctx, is, was.Version)
	}
	if err != nil && !errors.Is(err, spool.ErrConflict) { // then another session has just noted it
		d.opts.Log.Error("a network from which somebody has logged in cannot be noted", "error", err)
	}
}

// secret is the key from which decoys are made. It outlives the process, since
// decoys that change with it could be told from what is real.
func (d *Door) secret(ctx context.Context) ([]byte, error) {
	if s := d.decoys.Load(); s != nil {
		return *s, nil
	}
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh) // it never fails
	if d.opts.Memory != nil {
		_, err := d.opts.Memory.PutState(ctx, spool.State{Room: secretsRoom, Key: decoyKey, Value: fresh}, 0)
		if errors.Is(err, spool.ErrConflict) { // there is one
			var was spool.State
			was, err = d.opts.Memory.State(ctx, secretsRoom, decoyKey)
			fresh = was.Value
		}
		if err != nil {
			return nil, err
		}
	}
	if !d.decoys.CompareAndSwap(nil, &fresh) {
		return *d.decoys.Load(), nil
	}
	return fresh, nil
}

// decoy is what seems to be kept of the password of somebody who has none.
func (d *Door) decoy(ctx context.Context, name string) (*directory.SCRAM, error) {
	secret, err := d.secret(ctx)
	if err != nil {
		return nil, err
	}
	derived := func(what string) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(what + " " + name))
		return mac.Sum(nil)
	}
	return &directory.SCRAM{
		Salt: derived("salt")[:password.SCRAMSalt], Iterations: password.SCRAMIterations,
		StoredKey: derived("stored"), ServerKey: derived("server"),
	}, nil
}
