package dnsbl_test

import (
	"net/netip"
	"testing"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/policy/dnsbl"
)

const zone = `
7.2.0.192.bad.example       A 127.0.0.2
7.2.0.192.worse.example     A 127.0.0.9
8.2.0.192.bad.example       A 127.0.0.2
8.2.0.192.good.example      A 127.0.0.1
9.2.0.192.worse.example     A 127.0.0.9
10.2.0.192.bad.example      A 127.255.255.254
11.2.0.192.bad.example      A 203.0.113.1
12.2.0.192.bad.example      A !temporary
13.2.0.192.strict.example   A 127.0.0.10
14.2.0.192.strict.example   A 127.0.0.2
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.strict.example A 127.0.0.2
`

func name(t *testing.T, s string) dns.Name {
	n, err := dns.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestLists(t *testing.T) {
	c := dnsbl.New(dnsbl.Options{Resolver: dnstest.New(t, zone), Limit: 2, Lists: []dnsbl.List{
		{Zone: name(t, "bad.example")},
		{Zone: name(t, "worse.example"), Reply: "%{client}: see https://%{list}/"},
		{Zone: name(t, "good.example"), Weight: -5},
		{Zone: name(t, "strict.example"), Weight: 2, Answers: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}},
	}})
	for _, x := range []struct{ client, reply, why string }{
		{"192.0.2.1", "", ""},
		{"192.0.2.7", "550 5.7.1 Your address 192.0.2.7 is in the list bad.example", "in bad.example (1), in worse.example (1)"},
		{"192.0.2.8", "", "in bad.example (1), in good.example (-5)"},
		{"192.0.2.9", "", "in worse.example (1)"},
		{"192.0.2.10", "", "bad.example does not answer"},
		{"192.0.2.11", "", ""},
		{"192.0.2.12", "", "bad.example does not answer"},
		{"192.0.2.13", "", ""},
		{"::ffff:192.0.2.14", "550 5.7.1 Your address 192.0.2.14 is in the list strict.example", "in strict.example (2)"},
		{"2001:db8::1", "550 5.7.1 Your address 2001:db8::1 is in the list strict.example", "in strict.example (2)"},
		{"127.0.0.1", "", ""},
		{"10.1.2.3", "", ""},
	} {
		v := &policy.Visit{Source: mail.Source{Client: netip.AddrPortFrom(netip.MustParseAddr(x.client), 4711)}}
		s := c.Open(v)
		if s == nil {
			s = policy.Silent{}
		}
		o := s.Mail(t.Context(), v)
		reply := ""
		if o.Reply != nil {
			reply = o.Reply.Error()
		}
		if reply != x.reply || o.Reason != x.why || (o.Action == policy.Reject) != (reply != "") {
			t.Errorf("%s: %s %q since %q", x.client, o.Action, reply, o.Reason)
		}
		if v.Trusted = true; s.Mail(t.Context(), v).Action != policy.Pass {
			t.Errorf("%s is refused though it is trusted", x.client)
		}
	}
}
