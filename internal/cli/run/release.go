package run

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/admin/inboxapi"
	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// inboxAPI is the API of the test inbox; nil if there is none.
func (h *house) inboxAPI(d *daemon.House) *inboxapi.API {
	store := d.Inboxes()
	if store == nil {
		return nil
	}
	return inboxapi.New(inboxapi.Options{
		Store: store, Scenarios: d.Stage(), Version: h.version, Started: time.Now(), Log: h.log.Logger,
		Release: func(ctx context.Context, r inboxapi.Release) (inboxapi.Released, error) { return release(ctx, d, r) },
	})
}

// fromInbox is the Source.Listener of messages that were released.
const fromInbox = "inbox"

// release sends a message of the inbox on, by the routes of the house.
func release(ctx context.Context, d *daemon.House, r inboxapi.Release) (inboxapi.Released, error) {
	source := mail.Source{Listener: fromInbox, Login: r.Message.Source.Login}
	if err := leadsOut(ctx, d, source, r); err != nil {
		return inboxapi.Released{}, err
	}
	f, err := r.Open()
	if err != nil {
		return inboxapi.Released{}, err
	}
	defer f.Close()
	s := intake.Submission{Source: source, From: r.From, Text: afresh(f)}
	for _, to := range r.To {
		s.To = append(s.To, smtp.Rcpt{To: to})
	}
	done, err := d.In().Submit(ctx, s)
	if len(done.Refused) == len(r.To) {
		first := done.Refused[0]
		return inboxapi.Released{}, &inboxapi.ReleaseError{What: fmt.Sprintf("<%s> was refused: %v", first.To, first.Reply)}
	}
	return released(done, r.To), err
}

// returnPath begins the field that a delivery puts on top.
const returnPath = "Return-Path:"

// afresh is a message without the field that says that it was delivered: what is sent
// has none (RFC 5321, 4.4).
func afresh(text io.Reader) io.Reader {
	r := bufio.NewReader(text)
	if name, _ := r.Peek(len(returnPath)); !strings.EqualFold(string(name), returnPath) {
		return r
	}
	for folded := true; folded; {
		_, err := r.ReadSlice('\n')
		next, _ := r.Peek(1)
		folded = errors.Is(err, bufio.ErrBufferFull) || err == nil && (string(next) == " " || string(next) == "\t")
	}
	return r
}

func released(done intake.Submitted, to []smtp.Path) inboxapi.Released {
	out := inboxapi.Released{ID: done.ID, Released: []smtp.Path{}}
	refused := map[smtp.Path]bool{}
	for _, no := range done.Refused {
		refused[no.To] = true
		out.Refused = append(out.Refused, inboxapi.Refused{To: no.To, Reply: no.Reply.Error()})
	}
	for _, p := range to {
		if !refused[p] {
			out.Released = append(out.Released, p)
		}
	}
	return out
}

// lookTime is how long a release looks where its mail would go. Who does not know by then
// lets it go: the queue tells what becomes of it.
const lookTime = 5 * time.Second

// leadsOut refuses to release what would come back into the inbox, or be thrown away.
func leadsOut(ctx context.Context, d *daemon.House, source mail.Source, r inboxapi.Release) error {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	e := &mail.Envelope{From: r.From, Source: source, Arrived: time.Now(), Size: r.Message.Size}
	for _, to := range r.To {
		e.To = append(e.To, mail.Recipient{To: to, Original: to})
	}
	for i, to := range r.To {
		x, err := d.Out().Explain(ctx, e, i)
		kind, _, _ := strings.Cut(x.Hop.Transport, ":")
		switch {
		case err != nil:
			return nil
		case kind == config.IntoInbox:
			return noWay(to, "leads back into the inbox", x.Hop.Origin)
		case kind == config.Discard:
			return noWay(to, "leads nowhere (discard)", x.Hop.Origin)
		}
	}
	return nil
}

func noWay(to smtp.Path, why string, route mail.Origin) error {
	return &inboxapi.ReleaseError{
		What: fmt.Sprintf("nothing leaves this house for <%s>: its route %s", to, why),
		Hint: fmt.Sprintf("write a route for it before that of %v, with remote or smarthost", route),
	}
}
