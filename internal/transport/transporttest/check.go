package transporttest

import (
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
)

// Check holds the outcomes of a delivery against the contract: one for each
// recipient and in their order, with a fate that a transport may give, a reply
// where there has to be one, a time, and nothing that would break a line of a log.
func Check(t testing.TB, d transport.Delivery, outcomes []mail.Outcome) {
	t.Helper()
	if len(outcomes) != len(d.Recipients) {
		t.Fatalf("%d outcomes for %d recipients", len(outcomes), len(d.Recipients))
	}
	for i := range outcomes {
		o := &outcomes[i]
		if o.Recipient != d.Recipients[i] {
			t.Errorf("outcome %d is of recipient %d, want %d", i, o.Recipient, d.Recipients[i])
		}
		if wrong := fault(o); wrong != "" {
			t.Errorf("%s: %s", TellOne(o), wrong)
		}
	}
	if x, ok := d.Content.(*Text); ok && x.LeftOpen() != 0 {
		t.Errorf("%d readers of the text are left open", x.LeftOpen())
	}
}

// fault returns what is wrong with an outcome.
func fault(o *mail.Outcome) string {
	line := TellOne(o)
	switch {
	case o.Fate == mail.Expired || o.Fate == mail.Removed || o.Fate == 0:
		return "a transport gives no such fate"
	case (o.Fate == mail.Deferred || o.Fate == mail.Failed) && o.Reply == nil:
		return "there is no reply"
	case o.Reply != nil && (o.Reply.Code < 200 || o.Reply.Code > 599):
		return "its code is none"
	case o.Reply != nil && o.Fate == mail.Failed && !o.Reply.Code.Permanent():
		return "it failed without a reply 5yz"
	case o.Reply != nil && o.Fate == mail.Deferred && o.Reply.Code.Positive():
		return "it is deferred by a positive reply"
	case o.Reply != nil && o.Reply.Enhanced[0] != 0 && o.Reply.Enhanced[0] != int(o.Reply.Code)/100:
		return "code and enhanced code differ"
	case o.Reply != nil && len(o.Reply.Text) > 1100:
		return "the reply is longer than anybody reads"
	case (o.Unsure || o.OurLimit || o.HostDown || o.Stuck) && o.Fate != mail.Deferred:
		return "only what is deferred can be so"
	case o.Unsure && o.OurLimit:
		return "it is an attempt and none"
	case o.At.IsZero() || o.Took < 0:
		return "it has no time"
	case strings.ContainsAny(line, "\r\n\x00\x1b"):
		return "it would break a line"
	}
	return ""
}
