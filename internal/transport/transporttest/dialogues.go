package transporttest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
)

// Speaker makes a transport whose only next hop is the peer, and says how to get
// there. It is called in a synctest bubble; end closes what the transport keeps.
type Speaker func(t *testing.T, p *Peer) (tr transport.Transport, hop mail.Hop, end func())

// stages are where a server can answer. "." is each of DATA and BDAT.
func stages(lmtp bool) []string {
	if lmtp {
		return []string{"CONNECT", "LHLO", "MAIL", "RCPT", "RCPT TO:<b@b.test>", "DATA", ".", ". b@b.test", "RSET", "QUIT"}
	}
	return []string{"CONNECT", "EHLO", "MAIL", "RCPT", "RCPT TO:<b@b.test>", "DATA", ".", "RSET", "QUIT"}
}

// answers are the kinds of reply, good and bad.
var answers = []string{
	"220 x\r\n", "250 x\r\n", "251 x\r\n", "252 x\r\n", "221 x\r\n", "334 x\r\n", "353 x\r\n", "354 x\r\n",
	"421 4.3.2 going\r\n", "450 x\r\n", "451 4.7.1 greylisted\r\n", "452 4.5.3 too many\r\n", "452 x\r\n", "455 x\r\n",
	"500 x\r\n", "501 x\r\n", "502 x\r\n", "503 x\r\n", "521 x\r\n", "530 5.7.0 STARTTLS first\r\n", "535 x\r\n", "550 5.1.1 nobody\r\n",
	"552 5.2.2 full\r\n", "552 x\r\n", "554 5.7.1 no\r\n", "556 x\r\n",
	"299 x\r\n", "399 x\r\n", "499 x\r\n", "599 x\r\n", "199 x\r\n", "000 x\r\n", "600 x\r\n", "9 x\r\n", "250x\r\n", "\r\n", "hello\r\n",
	"550 \x00\x1b[2J\xff\r\n", "550-a\r\n551 b\r\n", "550-a\r\n550-b\r\n550 c\r\n", "250 a\n", "250 a\n250 b\r\n",
	"550 " + strings.Repeat("x", 1900) + "\r\n", "550 " + strings.Repeat("x", 5000) + "\r\n", strings.Repeat("550-x\r\n", 300) + "550 x\r\n",
	"550-" + strings.Repeat("x", 1900) + "\r\n550 " + strings.Repeat("é", 900) + "\r\n",
	Cut, Hang, "25", "250", "250-x\r\n", "550 5.1.1 nob",
}

// Dialogues is the suite of transports that speak SMTP, or LMTP if the peer does.
// At every stage a server gives every kind of reply, with pipelining and without;
// and whatever it does,
//
//   - there is exactly one outcome for each recipient,
//   - accepted are those for whom the server has said so, and nobody else,
//   - nobody is failed who has a positive reply, or none,
//   - unsure are those whose text has arrived and who have no reply,
//   - nobody is sent what he was told to have been accepted: the recipients who are
//     deferred are sent again, and nobody then has two.
func Dialogues(t *testing.T, lmtp bool, speak Speaker) {
	for _, offers := range [][]string{nil, {"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"}} {
		for _, stage := range stages(lmtp) {
			t.Run(fmt.Sprintf("%s pipelined %v", stage, offers != nil), func(t *testing.T) {
				for _, answer := range answers {
					p := &Peer{LMTP: lmtp, Offers: offers, Replies: map[string]string{stage: answer}}
					talk(t, fmt.Sprintf("%s gets %.40q", stage, answer), p, speak)
				}
			})
		}
	}
}

// talk delivers to three recipients, mends the peer, and delivers the rest.
func talk(t *testing.T, name string, p *Peer, speak Speaker) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		tr, hop, end := speak(t, p)
		defer synctest.Wait()
		defer end()
		d := Delivery(Envelope(t, "a@b.test", "b@b.test", "c@b.test"), Hello, hop)
		outcomes := tr.Deliver(t.Context(), d)
		Check(t, d, outcomes)
		synctest.Wait()
		for i := range outcomes {
			if wrong := judge(p, d.Envelope.To[i].To.String(), &outcomes[i]); wrong != "" {
				t.Errorf("%s: %s: %s", name, TellOne(&outcomes[i]), wrong)
			}
		}
		again := retry(p, d, outcomes)
		if len(again.Recipients) == 0 {
			return
		}
		outcomes = tr.Deliver(t.Context(), again)
		Check(t, again, outcomes)
		synctest.Wait()
		for i := range outcomes {
			to := d.Envelope.To[outcomes[i].Recipient].To.String()
			if n := count(p, to); n != 1 {
				t.Errorf("%s: %s has the message %d times after: %s", name, to, n, TellOne(&outcomes[i]))
			}
		}
	})
}

// judge holds an outcome against what the peer knows.
func judge(p *Peer, to string, o *mail.Outcome) string {
	accepted := o.Fate == mail.Delivered || o.Fate == mail.Relayed
	took := count(p, to)
	switch {
	case took > 1:
		return fmt.Sprintf("the peer took it %d times", took)
	case accepted != (took == 1) && !o.Unsure:
		return fmt.Sprintf("the peer took it %d times", took)
	case o.Unsure && len(p.Saw()) == 0:
		return "the text has not come to its end"
	case o.Fate == mail.Failed && o.Local:
		return "the peer was not asked"
	}
	return ""
}

func count(p *Peer, to string) int {
	n := 0
	for _, t := range p.Took() {
		if t.To == to {
			n++
		}
	}
	return n
}

// retry is the delivery of what was deferred, to a peer that accepts everything
// from now on. Those who are unsure are not sent again here.
func retry(p *Peer, d transport.Delivery, outcomes []mail.Outcome) transport.Delivery {
	p.mu.Lock()
	p.Replies = nil
	p.mu.Unlock()
	d.Recipients = slices.Clone(d.Recipients[:0])
	for _, o := range outcomes {
		if o.Fate == mail.Deferred && !o.Unsure {
			d.Recipients = append(d.Recipients, o.Recipient)
		}
	}
	return d
}
