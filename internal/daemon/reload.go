package daemon

import (
	"context"
	"errors"
	"slices"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/mail"
)

// ErrEnded says that the house is at its end, or was not begun.
var ErrEnded = errors.New("the house does not run")

// Reload puts another configuration in place of the one that holds: all of it, or nothing and an
// error, which is of type [config.Problems] if the configuration is at fault.
// Sessions and deliveries under way go on as they began.
func (h *House) Reload(ctx context.Context, c *config.Config) error {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if !h.serving {
		return ErrEnded
	}
	if p := fixed(h.cfg, c); len(p) > 0 {
		return p
	}
	if err := h.world.inboxes.open(h.world, c); err != nil {
		return err
	}
	if err := h.world.inboxes.join(ctx, c); err != nil {
		return err
	}
	r, err := build(ctx, h.world, c, h.in, &h.states)
	if err != nil {
		return err
	}
	if err = h.listen(ctx, r, c); err == nil {
		err = h.out.Reload(ctx, r.out)
	}
	if err != nil {
		h.closeUnused(h.rooms)
		r.close(ctx)
		return err
	}
	h.in.Reload(h.joined(r, c))
	h.replace(r, c)
	return nil
}

// replace lets the servers of other rooms answer who comes from now on.
func (h *House) replace(r *rooms, c *config.Config) {
	before, views := h.rooms, h.views
	h.rooms, h.cfg = r, c
	h.serve()
	for _, v := range views {
		v.Close()
	}
	h.closeUnused(r)
	h.retire(before)
}

// closeUnused closes the sockets that none of the servers has.
func (h *House) closeUnused(r *rooms) {
	used := map[endpoint]bool{}
	for _, s := range r.servers {
		for _, at := range s.at {
			used[at] = true
		}
	}
	for at, s := range h.sockets {
		if !used[at] {
			s.close()
			delete(h.sockets, at)
		}
	}
}

// retire keeps the servers of rooms until their sessions are over, and ends what
// else is open in them.
func (h *House) retire(r *rooms) {
	h.retired = slices.DeleteFunc(h.retired, func(s *server) bool { return s.Connections() == 0 })
	h.retired = append(h.retired, r.servers...) // they may be admitting somebody just now
	h.work.Go(func() {
		patience, cancel := context.WithTimeout(context.Background(), LastWords)
		defer cancel()
		r.close(patience)
	})
}

// fixed finds settings that cannot change while the house runs.
func fixed(was, is *config.Config) (found config.Problems) {
	check := func(same bool, name string, at mail.Origin) {
		if !same {
			if at.File == "" {
				at = mail.Origin{File: is.File, Line: 1, Column: 1} // it was taken out
			}
			found = append(found, is.Problem(at, name+" cannot change while posthouse runs: end it and start it again"))
		}
	}
	check(was.Data.Value == is.Data.Value, "data", is.Data.Origin)
	check(was.User.Value == is.User.Value, "user", is.User.Origin)
	s, t := &was.Spool, &is.Spool
	check(s.FileBodies.Value == t.FileBodies.Value, "spool.file_bodies", t.FileBodies.Origin)
	check(s.DraftMemory.Value == t.DraftMemory.Value, "spool.draft_memory", t.DraftMemory.Origin)
	check(s.Reserve.Value == t.Reserve.Value, "spool.reserve", t.Reserve.Origin)
	check(s.Postgres.Value == t.Postgres.Value, "spool.postgres", t.Postgres.Origin)
	check(s.CA.Value == t.CA.Value, "spool.ca", t.CA.Origin)
	check(s.Password.String() == t.Password.String(), "the spool's password", t.Password.Origin())
	check(s.Durability.Value == t.Durability.Value, "spool.durability", t.Durability.Origin)
	check(!s.Shared() || was.NodeName() == is.NodeName(), "spool.node", t.Node.Origin)
	check(was.Journal.Keep.Value == is.Journal.Keep.Value, "journal.keep", is.Journal.Keep.Origin)
	check(was.Journal.Size.Value == is.Journal.Size.Value, "journal.size", is.Journal.Size.Origin)
	check(slices.Equal(was.Console.Address.Value, is.Console.Address.Value), "console.address", is.Console.Address.Origin)
	check(was.Console.TLS.Value == is.Console.TLS.Value, "console.tls", is.Console.TLS.Origin)
	check(was.Queue.Memory.Value == is.Queue.Memory.Value, "queue.memory", is.Queue.Memory.Origin)
	return found
}
