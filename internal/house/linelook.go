package house

import (
	"context"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

// List implements [spool.Engine].
func (l *line) List(ctx context.Context, q spool.Query) (spool.Page, error) {
	return asked(ctx, l, "list", q.After, func(s *memspool.Spool) (spool.Page, error) { return s.List(context.Background(), q) })
}

// Alter implements [spool.Engine].
func (l *line) Alter(ctx context.Context, q spool.Query, order spool.Order, fact func(spool.Item) []byte) (spool.Page, error) {
	return asked(ctx, l, "alter", q.After, func(s *memspool.Spool) (spool.Page, error) {
		var facts []spool.Fact
		page, err := s.Alter(context.Background(), q, order, func(it spool.Item) []byte {
			data := fact(it)
			facts = append(facts, spool.Fact{ID: it.Envelope.ID, At: order.At, Data: data})
			return data
		})
		for i := range facts {
			l.base.hear(facts[i].ID, facts[i:i+1])
		}
		l.base.wake(nil)
		return page, err
	})
}

// Stats implements [spool.Engine].
func (l *line) Stats(ctx context.Context) (spool.Stats, error) {
	return asked(ctx, l, "stats", 0, func(s *memspool.Spool) (spool.Stats, error) { return s.Stats(context.Background()) })
}

// Destinations implements [spool.Engine].
func (l *line) Destinations(ctx context.Context, after string, limit int) ([]spool.Destination, error) {
	return asked(ctx, l, "destinations", after, func(s *memspool.Spool) ([]spool.Destination, error) {
		return s.Destinations(context.Background(), after, limit)
	})
}

// Damaged implements [spool.Engine].
func (l *line) Damaged(ctx context.Context, after mail.ID, limit int) ([]spool.Damage, error) {
	return asked(ctx, l, "damaged", after, func(s *memspool.Spool) ([]spool.Damage, error) {
		return s.Damaged(context.Background(), after, limit)
	})
}

// Note implements [spool.Engine].
func (l *line) Note(ctx context.Context, facts []spool.Fact) error {
	return l.call(ctx, "note", facts[0].ID, func(s *memspool.Spool) error {
		err := s.Note(context.Background(), facts)
		for i := range facts {
			if err == nil {
				l.base.hear(facts[i].ID, facts[i:i+1])
			}
		}
		return err
	})
}

// Facts implements [spool.Engine].
func (l *line) Facts(ctx context.Context, q spool.FactQuery) (spool.FactPage, error) {
	return asked(ctx, l, "facts", q, func(s *memspool.Spool) (spool.FactPage, error) { return s.Facts(context.Background(), q) })
}

// State implements [spool.Engine].
func (l *line) State(ctx context.Context, room, key string) (spool.State, error) {
	return asked(ctx, l, "state", room+key, func(s *memspool.Spool) (spool.State, error) { return s.State(context.Background(), room, key) })
}

// PutState implements [spool.Engine].
func (l *line) PutState(ctx context.Context, st spool.State, was uint64) (uint64, error) {
	return asked(ctx, l, "put state", st.Room+st.Key, func(s *memspool.Spool) (uint64, error) {
		return s.PutState(context.Background(), st, was)
	})
}

// States implements [spool.Engine].
func (l *line) States(ctx context.Context, room, after string, limit int) ([]spool.State, error) {
	return asked(ctx, l, "states", room+after, func(s *memspool.Spool) ([]spool.State, error) {
		return s.States(context.Background(), room, after, limit)
	})
}
