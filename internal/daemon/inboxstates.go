package daemon

import (
	"context"
	"errors"

	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/spool"
)

// inboxStates has nodes keep their inboxes in the states of the spool that they share.
type inboxStates struct{ states spool.States }

// Get implements [inbox.States].
func (s inboxStates) Get(ctx context.Context, room, key string) ([]byte, uint64, error) {
	st, err := s.states.State(ctx, room, key)
	if errors.Is(err, spool.ErrNotFound) {
		return nil, 0, inbox.ErrNotFound
	}
	return st.Value, st.Version, err
}

// Put implements [inbox.States].
func (s inboxStates) Put(ctx context.Context, room, key string, value []byte, was uint64) error {
	_, err := s.states.PutState(ctx, spool.State{Room: room, Key: key, Value: value}, was)
	if errors.Is(err, spool.ErrConflict) {
		return inbox.ErrConflict
	}
	return err
}

// inboxPage is how many values are read at a time: some have 64 KiB.
const inboxPage = 100

// List implements [inbox.States].
func (s inboxStates) List(ctx context.Context, room, after string) ([]inbox.Value, error) {
	page, err := s.states.States(ctx, room, after, inboxPage)
	if err != nil {
		return nil, err
	}
	all := make([]inbox.Value, len(page))
	for i, st := range page {
		all[i] = inbox.Value{Key: st.Key, Value: st.Value}
	}
	return all, nil
}
