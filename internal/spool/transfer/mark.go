package transfer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// room and key are where an engine bears its mark. What is in the room is not copied.
const (
	room = "posthouse.transfer"
	key  = "mark"
)

// mark is what a house has to know before it works with a spool.
type mark struct {
	Role  string    `json:"role"`  // target or source
	Other string    `json:"other"` // the engine at the other end
	At    time.Time `json:"at"`
	was   uint64    // version of the state
}

const (
	target = "target" // copied into, and not finished
	source = "source" // copied from, and finished
)

// ErrMarked says that a spool is not to be worked with, and why.
var ErrMarked = errors.New("the spool is not to be used")

// Usable is nil if a house may work with a spool, or an error that wraps ErrMarked.
func Usable(ctx context.Context, engine interface {
	State(ctx context.Context, room, key string) (spool.State, error)
},
) error {
	m, err := readMark(ctx, engine)
	switch {
	case err != nil:
		return err
	case m == nil:
		return nil
	case m.Role == source:
		return fmt.Errorf("%w: its mail was copied to %s on %s, which would be sent twice; posthouse spool release takes it back into use, if that copy is gone",
			ErrMarked, m.Other, m.At.Format(time.DateTime+" MST"))
	}
	return fmt.Errorf("%w: a copy from %s into it has not come to its end; give the same posthouse spool copy again", ErrMarked, m.Other)
}

// Release takes the mark off an engine, and reports whether it had one.
func Release(ctx context.Context, engine spool.Engine) (had bool, err error) {
	m, err := readMark(ctx, engine)
	if m == nil || err != nil {
		return false, err
	}
	return true, m.remove(ctx, engine)
}

func readMark(ctx context.Context, engine interface {
	State(ctx context.Context, room, key string) (spool.State, error)
},
) (*mark, error) {
	st, err := engine.State(ctx, room, key)
	if errors.Is(err, spool.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m := &mark{was: st.Version}
	if err := json.Unmarshal(st.Value, m); err != nil {
		return nil, fmt.Errorf("%w: it bears a mark that this program cannot read: %w", ErrMarked, err)
	}
	return m, nil
}

func (m *mark) put(ctx context.Context, engine spool.Engine) error {
	value, err := json.Marshal(m)
	if err == nil {
		m.was, err = engine.PutState(ctx, spool.State{Room: room, Key: key, Value: value}, m.was)
	}
	return err
}

func (m *mark) remove(ctx context.Context, engine spool.Engine) error {
	_, err := engine.PutState(ctx, spool.State{Room: room, Key: key}, m.was)
	return err
}
