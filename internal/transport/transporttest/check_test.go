package transporttest

import (
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// TestFaultsAreSeen: the suite would notice outcomes that break the contract.
func TestFaultsAreSeen(t *testing.T) {
	no := &smtp.Reply{Code: 550, Enhanced: smtp.EnhancedCode{5, 1, 1}, Text: "no"}
	later := &smtp.Reply{Code: 450, Text: "later"}
	for name, c := range map[string]struct {
		o    mail.Outcome
		want string
	}{
		"good":         {mail.Outcome{Fate: mail.Failed, Reply: no}, ""},
		"no fate":      {mail.Outcome{Reply: no}, "no such fate"},
		"expired":      {mail.Outcome{Fate: mail.Expired, Reply: no}, "no such fate"},
		"no reply":     {mail.Outcome{Fate: mail.Deferred}, "no reply"},
		"failed by 4":  {mail.Outcome{Fate: mail.Failed, Reply: later}, "without a reply 5yz"},
		"deferred 250": {mail.Outcome{Fate: mail.Deferred, Reply: &smtp.Reply{Code: 250}}, "positive"},
		"codes differ": {mail.Outcome{Fate: mail.Deferred, Reply: &smtp.Reply{Code: 450, Enhanced: smtp.EnhancedCode{5, 0, 0}}}, "differ"},
		"long":         {mail.Outcome{Fate: mail.Failed, Reply: &smtp.Reply{Code: 550, Text: strings.Repeat("x", 2000)}}, "longer"},
		"unsure":       {mail.Outcome{Fate: mail.Failed, Reply: no, Unsure: true}, "only what is deferred"},
		"both":         {mail.Outcome{Fate: mail.Deferred, Reply: later, Unsure: true, OurLimit: true}, "attempt and none"},
		"a line":       {mail.Outcome{Fate: mail.Failed, Reply: no, Tried: "a\nb"}, "break a line"},
	} {
		c.o.At = time.Now()
		if got := fault(&c.o); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := fault(&mail.Outcome{Fate: mail.Failed, Reply: no}); got != "it has no time" {
		t.Errorf("no time: %q", got)
	}
}
