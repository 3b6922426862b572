package transporttest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
)

// Subject is what [Run] tries: a transport that is there to accept everything.
type Subject struct {
	Transport transport.Transport
	// Domain is that of recipients whose mail it takes; their local parts are
	// "a" to "e".
	Domain string
	Hop    mail.Hop
	// Accepted is the fate of success.
	Accepted mail.Fate
	// NoText: success does not depend on the text, since it is not read.
	NoText bool
}

// Run is the suite for every transport. make makes a fresh one for each test; it
// may be called in a synctest bubble, or not, as the caller likes.
func Run(t *testing.T, make func(t *testing.T) Subject) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s Subject)
	}{
		{"one outcome for each recipient", eachOnce},
		{"many deliveries at once", atOnce},
		{"a text that cannot be read", unreadable},
		{"cancelled before it begins", cancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, make(t)) })
	}
}

func (s *Subject) delivery(t *testing.T, content mail.Content, recipients ...int) transport.Delivery {
	e := Envelope(t)
	for _, local := range []string{"a", "b", "c", "d", "e"} {
		e.To = append(e.To, mail.Recipient{To: Path(t, local+"@"+s.Domain)})
	}
	return transport.Delivery{Envelope: e, Recipients: recipients, Content: content, Hop: s.Hop}
}

func eachOnce(t *testing.T, s Subject) {
	for _, to := range [][]int{{0, 1, 2, 3, 4}, {4}, {3, 1}, {}} {
		d := s.delivery(t, &Text{Octets: Hello}, to...)
		outcomes := s.Transport.Deliver(t.Context(), d)
		Check(t, d, outcomes)
		for _, o := range outcomes {
			if o.Fate != s.Accepted {
				t.Errorf("to %v: %s", to, TellOne(&o))
			}
		}
	}
}

func atOnce(t *testing.T, s Subject) {
	var wait sync.WaitGroup
	for i := range 8 {
		d := s.delivery(t, &Text{Octets: Hello}, i%5)
		wait.Go(func() {
			outcomes := s.Transport.Deliver(t.Context(), d)
			Check(t, d, outcomes)
			if outcomes[0].Fate != s.Accepted {
				t.Errorf("%s", TellOne(&outcomes[0]))
			}
		})
	}
	wait.Wait()
}

func unreadable(t *testing.T, s Subject) {
	if s.NoText {
		t.Skip("it does not read the text")
	}
	long := strings.Repeat("a line of a long text\r\n", 40_000)
	for _, x := range []*Text{{OpenErr: ErrDisk}, {Octets: Hello, ReadErr: ErrDisk}, {Octets: Hello + long, ReadErr: ErrDisk}} {
		d := s.delivery(t, x, 0, 1)
		outcomes := s.Transport.Deliver(t.Context(), d)
		Check(t, d, outcomes)
		for _, o := range outcomes {
			if o.Fate != mail.Deferred {
				t.Errorf("%d octets, then %v %v: %s", len(x.Octets), x.OpenErr, x.ReadErr, TellOne(&o))
			}
		}
	}
	d := s.delivery(t, &Text{Octets: Hello}, 2)
	if o := s.Transport.Deliver(t.Context(), d); o[0].Fate != s.Accepted {
		t.Errorf("the next message: %s", TellOne(&o[0]))
	}
}

func cancelled(t *testing.T, s Subject) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("the house closes"))
	d := s.delivery(t, &Text{Octets: Hello}, 0, 1, 2)
	outcomes := s.Transport.Deliver(ctx, d)
	Check(t, d, outcomes)
	for _, o := range outcomes {
		if !slices.Contains([]mail.Fate{s.Accepted, mail.Deferred}, o.Fate) || o.Fate == mail.Deferred && !o.OurLimit {
			t.Errorf("%s", TellOne(&o))
		}
	}
}
