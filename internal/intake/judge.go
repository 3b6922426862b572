package intake

import (
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/smtp"
)

// hear begins to follow the client as he is now, if policy wants to. An error refuses him.
func (s *session) hear(ctx context.Context, o *Options) error {
	s.heard = s.conn.RemoteAddr()
	panel := o.Policy[s.name]
	if panel == nil || len(panel.Checks) == 0 {
		return nil
	}
	v := &policy.Visit{Source: s.source(), Local: localAddr(s.conn.LocalAddr()), Trusted: o.trusts(s.heard)}
	if s.hearing = panel.Open(v); s.hearing == nil {
		return nil
	}
	if err := s.hearing.Connect(ctx, v); err != nil {
		s.hearing.Close()
		s.hearing = nil
		return o.refuse(v, smtp.Greeting, smtp.Path{}, err)
	}
	return nil
}

// localAddr is an address of the network, invalid if it is none.
func localAddr(a net.Addr) netip.AddrPort {
	if tcp, is := a.(*net.TCPAddr); is {
		return tcp.AddrPort()
	}
	return netip.AddrPort{}
}

// open begins a transaction, after policy was asked about it.
func (s *session) open(ctx context.Context, t *transaction) error {
	if err := s.again(ctx, t.o); err != nil {
		return err
	}
	if t.hearing = s.hearing; t.hearing == nil {
		return t.begin(ctx)
	}
	t.visit.Trusted, t.visit.Params, t.visit.Local = t.relay, t.params, localAddr(s.conn.LocalAddr())
	err := t.hearing.Mail(ctx, t.visit)
	if err == nil {
		err = t.begin(ctx)
	}
	if err != nil {
		t.hearing.Reset()
	}
	return err
}

// again follows another client, if XCLIENT has put one in the place of the first.
func (s *session) again(ctx context.Context, o *Options) error {
	if s.heard == s.conn.RemoteAddr() {
		return nil
	}
	if s.hearing != nil {
		s.hearing.Close()
		s.hearing = nil
	}
	return s.hear(ctx, o)
}

// hear asks policy about the text, and does with the message as it says.
func (t *transaction) hear(ctx context.Context, r *reception) (err error) {
	if t.judged, err = t.hearing.Data(ctx, t.visit, t.draft); err != nil {
		return err
	}
	t.mark()
	if t.judged.Action == policy.Discard {
		return nil
	}
	if err := t.readdress(ctx); err != nil {
		return err
	}
	if t.judged.Text == nil {
		return nil
	}
	return t.rewrite(ctx, r)
}

// mark notes who gets the message as junk.
func (t *transaction) mark() {
	if !slices.Contains(t.judged.Junk, true) {
		return
	}
	junk := make(map[smtp.Path]bool, len(t.judged.Junk))
	for i, is := range t.judged.Junk {
		junk[t.visit.To[i]] = is
	}
	for i := range t.to {
		t.to[i].Junk = junk[t.to[i].Original]
	}
}

// readdress changes the envelope. Whom policy adds is not asked about again; if nobody
// of that name is here and we do not know where else, he is left out, and the journal tells it.
func (t *transaction) readdress(ctx context.Context) error {
	j := t.judged
	if j.From != nil {
		t.visit.From = *j.From
	}
	for i := range j.AddTo {
		t.relay = true
		final, _, err := t.resolve(ctx, j.AddTo[i].To)
		if err == nil {
			err = t.add(j.AddTo[i].To, final, &j.AddTo[i].Params)
		}
		if isReply(err) {
			j.Changed = append(j.Changed, "not added: "+err.Error())
		} else if err != nil {
			return err
		}
	}
	if len(j.RemoveTo) > 0 {
		t.to = slices.DeleteFunc(t.to, func(r mail.Recipient) bool { return slices.Contains(j.RemoveTo, r.Original) })
	}
	if len(t.to) == 0 {
		j.Action = policy.Discard
	}
	return nil
}

// rewrite puts the text that policy wants into a draft of its own, in the place of the one that came in.
func (t *transaction) rewrite(ctx context.Context, r *reception) error {
	from, err := t.judged.Text.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	draft, err := t.o.Spool.Begin(ctx, t.judged.Text.Size())
	if err != nil {
		return err
	}
	var traits message.Inspector
	n := reception{draft: draft, header: header{mailbox: r.header.mailbox}}
	if _, err := io.Copy(io.MultiWriter(&n, &traits), from); err != nil {
		draft.Abort()
		return err
	}
	n.header.End()
	t.draft.Abort()
	t.draft, *r = draft, n
	if traits := traits.Traits(); t.params.Body == "" && (traits.Body8Bit || traits.UTF8Header) {
		t.params.Body = smtp.Body8Bit
	}
	return nil
}

// fields are those that policy has put on top.
func (t *transaction) fields() string {
	if t.judged == nil {
		return ""
	}
	return string(t.judged.Top)
}

// discard throws the message away, and notes it.
func (t *transaction) discard(ctx context.Context, now time.Time, r *reception) (*smtp.Reply, error) {
	id := t.draft.ID()
	e := t.envelope(now, &r.header)
	facts := t.facts(&e, t.draft.Size())
	rule := mail.Hop{Transport: "policy", Destination: t.discarder().Check, Origin: t.discarder().Origin}
	for i := range min(len(e.To), maxDiscarded) {
		facts = append(facts, &event.Decided{Outcome: mail.Outcome{Recipient: i, Fate: mail.Discarded, At: now}, To: e.To[i].To, Hop: rule})
	}
	kept := make([]spool.Fact, len(facts))
	for i, f := range facts {
		kept[i] = spool.Fact{ID: id, At: now, Data: event.Append(nil, f)}
	}
	if err := t.o.Spool.Note(ctx, kept); err != nil {
		return nil, t.o.refuse(t.visit, smtp.Dot, smtp.Path{}, err)
	}
	for _, f := range facts {
		t.o.Observe(event.Entry{ID: id, At: now, Event: f})
	}
	return smtp.Replyf(smtp.CodeOK, smtp.EnhancedCode{2, 0, 0}, "queued as %s", id), nil
}

// maxDiscarded is of how many recipients it is told that their mail was thrown away.
const maxDiscarded = 1000

// discarder is the check that wanted a message thrown away.
func (t *transaction) discarder() policy.Heard {
	for _, o := range t.judged.Opinions {
		if o.Action == policy.Discard {
			return o
		}
	}
	return policy.Heard{Check: "nobody is left"}
}

// Bounds of what the journal keeps of a judgement, in octets and items.
const (
	maxReason   = 500
	maxResults  = 2000
	maxOpinions = 50
	maxChanges  = 50
)

// judgement is what the journal is told of the checks.
func (t *transaction) judgement() *event.Judged {
	j := &event.Judged{Action: t.judged.Action.String()}
	for i := range t.judged.Opinions[:min(len(t.judged.Opinions), maxOpinions)] {
		o := &t.judged.Opinions[i]
		one := event.Opinion{Check: o.Check, Stage: o.Stage, Action: o.Action.String(), Why: clip(o.Reason, maxReason), Origin: o.Origin}
		if len(o.Results) > 0 {
			words := senderauth.Results{ID: t.o.Hostname, Methods: o.Results}.String()
			one.Results = clip(strings.TrimPrefix(words, t.o.Hostname+"; "), maxResults)
		}
		if o.Limited != nil {
			one.AtMost, one.Limit = o.Limited.Action.String(), o.Limited.Origin
		}
		j.Opinions = append(j.Opinions, one)
	}
	changes := t.judged.Changed[:min(len(t.judged.Changed), maxChanges)]
	j.Changed = clip(strings.ToValidUTF8(strings.Join(changes, ", "), "?"), maxResults)
	return j
}
