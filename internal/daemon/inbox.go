package daemon

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/inbox/door"
	"github.com/posthouse/posthouse/internal/transport"
	into "github.com/posthouse/posthouse/internal/transport/inbox"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// inboxes is the test inbox of a house, which is opened when a configuration needs it,
// and then stays: a reload changes neither it nor the scenarios that are played.
type inboxes struct {
	states *states // of the spool

	mu    sync.Mutex
	store *inbox.Store
	stage door.Stage
}

// open opens the test inbox, once.
func (i *inboxes) open(w *World, c *config.Config) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.store != nil || !c.HasInbox() {
		return nil
	}
	store, err := w.Inboxes(c)
	if err != nil {
		return &InboxError{c.Data.Value, err}
	}
	i.store = store
	return nil
}

// join has the test inbox show what other nodes have kept, and will.
func (i *inboxes) join(ctx context.Context, c *config.Config) error {
	i.mu.Lock()
	store := i.store
	i.mu.Unlock()
	if store == nil {
		return nil
	}
	if err := store.Join(ctx); err != nil {
		return &InboxError{c.Data.Value, err}
	}
	return nil
}

// InboxError says why the test inbox in a data directory could not be opened.
type InboxError struct {
	Data string // the data directory
	Err  error
}

func (e *InboxError) Error() string { return "inbox in " + e.Data + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *InboxError) Unwrap() error { return e.Err }

func (i *inboxes) close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.store == nil {
		return nil
	}
	return i.store.Close()
}

func (w *World) openInboxes(c *config.Config) (*inbox.Store, error) {
	x := &c.Inbox
	dir, shared := filepath.Join(c.Data.Value, "inbox"), inbox.States(nil)
	if c.Spool.Shared() && w.inboxes != nil {
		dir, shared = "", inboxStates{w.inboxes.states}
	}
	return inbox.Open(inbox.Options{
		Dir: dir, States: shared, Log: w.Log, Random: w.Random, Changed: w.InboxChanged,
		Keep: inbox.Keep{
			Messages: x.Messages.Value, All: x.All.Value, Inboxes: x.Inboxes.Value, Age: x.Keep.Value, Octets: x.Size.Value,
			Boxes: boxesOf(x),
		},
	})
}

// boxesOf are the inboxes of which more or less is kept than of others.
func boxesOf(x *config.Inbox) (all []inbox.KeepBox) {
	for i := range x.Boxes {
		b := &x.Boxes[i]
		name, some := strings.CutSuffix(b.Name, "*")
		k := inbox.KeepBox{Name: inbox.Fold(b.Name), Messages: b.Messages.Value, Age: b.Keep.Value}
		if some {
			k.Name = strings.ToLower(name) + "*"
		}
		all = append(all, k)
	}
	return all
}

// Inboxes is the test inbox; nil if the configuration has none.
func (h *House) Inboxes() *inbox.Store {
	h.world.inboxes.mu.Lock()
	defer h.world.inboxes.mu.Unlock()
	return h.world.inboxes.store
}

// Stage is where the scenarios of the test inbox are played.
func (h *House) Stage() *door.Stage { return &h.world.inboxes.stage }

// boxes is the test inbox, and what tells inboxes apart.
func (b *builder) boxes() (*inbox.Store, *door.Stage, inbox.By) {
	by := apart(b.cfg.Inbox.Apart.Value)
	if b.world.inboxes == nil {
		return nil, nil, by
	}
	return b.world.inboxes.store, &b.world.inboxes.stage, by
}

// apart is what tells inboxes apart, in its words.
func apart(words []string) (by inbox.By) {
	for _, w := range words {
		switch w {
		case config.ApartByLogin:
			by |= inbox.ByLogin
		case config.ApartByTag:
			by |= inbox.ByTag
		case config.ApartByRecipient:
			by |= inbox.ByRecipient
		case config.ApartByListener:
			by |= inbox.ByListener
		}
	}
	return by
}

// intoInbox brings the mail of a route into the test inbox.
func (b *builder) intoInbox(r *config.Route) transport.Transport {
	store, _, by := b.boxes()
	return into.New(into.Options{Store: store, By: by, Name: r.Inbox.Value})
}

// inboxServer answers at a listener whose mail goes into the test inbox at once.
func (b *builder) inboxServer(l *config.Listen, keys *certificates) answerer {
	store, stage, by := b.boxes()
	d := door.New(door.Options{
		Store: store, By: by, Listener: l.Name.Value, Hostname: b.cfg.Hostname.Value, Stage: stage, Log: b.world.Log,
	})
	s := b.serverOf(l, d, keys)
	d.Fit(s)
	return inboxServer{s, d}
}

// inboxServer is a server whose connections its door can cut and slow down.
type inboxServer struct {
	*smtpserver.Server
	door *door.Door
}

func (s inboxServer) Serve(l net.Listener) error { return s.Server.Serve(s.door.Listener(l)) }
