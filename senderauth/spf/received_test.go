package spf_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/spf"
)

func TestReceived(t *testing.T) {
	ip := netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		q    spf.Query
		r    spf.Result
		want string
	}{
		{
			spf.Query{IP: ip, Helo: "mx.a.example", MailFrom: "jo@a.example"},
			spf.Result{Verdict: senderauth.Pass, Domain: "a.example", Mechanism: "ip4:192.0.2.0/24"},
			"pass (mx.sohu.com: a.example designates 192.0.2.1 as permitted sender) receiver=mx.sohu.com; identity=mailfrom; " +
				`client-ip=192.0.2.1; helo=mx.a.example; envelope-from="jo@a.example"; mechanism="ip4:192.0.2.0/24"`,
		},
		{
			spf.Query{IP: netip.MustParseAddr("2001:db8::1"), Helo: "a.example"},
			spf.Result{Verdict: senderauth.Fail, Domain: "a.example", FromHelo: true, Mechanism: "-all"},
			"fail (mx.sohu.com: a.example does not designate 2001:db8::1 as permitted sender) receiver=mx.sohu.com; identity=helo; " +
				`client-ip="2001:db8::1"; helo=a.example; mechanism=-all`,
		},
		{
			spf.Query{IP: ip, Helo: "x\r\nFrom: eve", MailFrom: `")(\@` + "\xff"},
			spf.Result{Verdict: senderauth.PermError, Domain: "(\n)", Err: errors.New("odd \x00\"x\"")},
			`permerror (mx.sohu.com: what \(?\) says could not be found out) receiver=mx.sohu.com; identity=mailfrom; client-ip=192.0.2.1; ` +
				`helo="x??From: eve"; envelope-from="\")(\\@?"; problem="odd ?\"x\""`,
		},
	} {
		got := spf.Received(c.q, c.r, "mx.sohu.com")
		if flat := strings.ReplaceAll(got, "\r\n\t", " "); flat != c.want {
			t.Errorf("got  %s\nwant %s", flat, c.want)
		}
		for line := range strings.SplitSeq(got, "\r\n") {
			if strings.ContainsAny(line, "\r\n") || len(line) > 400 {
				t.Errorf("the line %q", line)
			}
		}
	}
}
