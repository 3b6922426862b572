package message_test

import (
	"net/mail"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/message"
)

var july = time.Date(2025, 7, 1, 9, 30, 0, 0, time.FixedZone("", 8*60*60))

func TestReceivedTellsHowAMessageCame(t *testing.T) {
	for _, c := range []struct {
		in   message.Received
		want string
	}{
		{
			message.Received{
				Helo: "mx.sohu.com", Addr: netip.MustParseAddr("192.0.2.1"), Host: "out1.sohu.com", By: "mx.sina.com",
				With: message.Protocol{Extended: true, TLS: true}.String(), TLS: "TLS1.3 TLS_AES_128_GCM_SHA256",
				ID: "01JZ5M3V9K", For: "wangfang@sina.com", Date: july,
			},
			"Received: from mx.sohu.com (out1.sohu.com [192.0.2.1]) by mx.sina.com\n" +
				" with ESMTPS (TLS1.3 TLS_AES_128_GCM_SHA256) id 01JZ5M3V9K\n" +
				" for <wangfang@sina.com>; Tue, 01 Jul 2025 09:30:00 +0800\n",
		},
		{
			message.Received{Helo: "[IPv6:2001:db8::1]", Addr: netip.MustParseAddr("2001:db8::1%eth0"), By: "b", With: "LMTP", Date: july},
			"Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1]) by b with LMTP;\n Tue, 01 Jul 2025 09:30:00 +0800\n",
		},
		{
			message.Received{Addr: netip.MustParseAddr("::ffff:192.0.2.1"), By: "b", Via: "UUCP", With: "SMTP", For: "用户@b", Date: july},
			"Received: from unknown ([192.0.2.1]) by b via UUCP with SMTP;\n Tue, 01 Jul 2025 09:30:00 +0800\n",
		},
		{
			message.Received{Helo: "例子.cn", By: "b", With: "UTF8SMTP", For: "用户@b", Date: july},
			"Received: from xn--fsqu00a.cn by b with UTF8SMTP for <用户@b>;\n Tue, 01 Jul 2025 09:30:00 +0800\n",
		},
		{
			message.Received{Helo: "evil) (\r\nX-Evil: 1\x00", By: "b", TLS: "a)(b\\\r\nX", ID: "a\r\nb;", With: "SMTP (", For: "a@b>\r\nX:", Date: july},
			"Received: from evil?????X-Evil:?1? by b with SMTP?? (a??b? X) id a??b?;\n Tue, 01 Jul 2025 09:30:00 +0800\n",
		},
	} {
		if diff := cmp.Diff(c.want, strings.ReplaceAll(c.in.String(), "\r\n", "\n")); diff != "" {
			t.Error(diff)
		}
	}
}

// BenchmarkReceived: one is printed for each message that is taken in.
func BenchmarkReceived(b *testing.B) {
	r := message.Received{
		Helo: "mx.example.com", Addr: netip.MustParseAddr("192.0.2.1"), By: "mx.example.net", With: "ESMTP",
		ID: "01JZ5M3V9K", For: "someone@example.net", Date: july,
	}
	b.ReportAllocs()
	for b.Loop() {
		_ = r.String()
	}
}

// TestFormatDate: what is printed by hand is what package time prints.
func TestFormatDate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", rapid.IntRange(-14*3600, 14*3600).Draw(t, "zone"))
		at := time.Unix(rapid.Int64Range(-1<<37, 1<<39).Draw(t, "seconds"), 0).In(zone)
		if got, want := message.FormatDate(at), at.Format("Mon, 02 Jan 2006 15:04:05 -0700"); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestReceivedIsOneFieldWhateverStandsInIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) string { return anyText().Draw(t, name) }
		s := message.Received{
			Helo: draw("helo"), Addr: netip.MustParseAddr("192.0.2.1"), Host: draw("host"), By: draw("by"), Via: draw("via"),
			With: draw("with"), TLS: draw("tls"), ID: draw("id"), For: draw("for"), Date: july,
		}.String()
		got, body, err := message.ReadHeader(strings.NewReader(s+"\r\n"), message.HeaderLimits{})
		if err != nil || len(got) != 1 || body == nil || string(got[0]) != s {
			t.Fatalf("%q: %v", s, err)
		}
		checkLines(t, s+"\r\n")
		v := got[0].Value()
		if strings.Count(v, "(") != strings.Count(v, ")") || strings.Count(v, "(") > 2 || !strings.Contains(v, "[192.0.2.1])") {
			t.Fatalf("a comment was broken out of: %s", v)
		}
		date := v[strings.LastIndexByte(v, ';')+1:]
		if d, err := mail.ParseDate(strings.TrimSpace(date)); err != nil || !d.Equal(july) {
			t.Fatalf("date %q: %v", date, err)
		}
	})
}

func TestProtocolWordsAreTheRegisteredOnes(t *testing.T) {
	var got []string
	for i := range 32 {
		p := message.Protocol{Extended: i&16 != 0, LMTP: i&8 != 0, UTF8: i&4 != 0, TLS: i&2 != 0, Auth: i&1 != 0}
		if len(got) == 0 || got[len(got)-1] != p.String() {
			got = append(got, p.String())
		}
	}
	lmtp := "LMTP LMTPA LMTPS LMTPSA UTF8LMTP UTF8LMTPA UTF8LMTPS UTF8LMTPSA"
	want := "SMTP " + lmtp + " ESMTP ESMTPA ESMTPS ESMTPSA UTF8SMTP UTF8SMTPA UTF8SMTPS UTF8SMTPSA " + lmtp
	if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
		t.Error(diff)
	}
}

func TestReturnPathHoldsOneAddressOrNone(t *testing.T) {
	for sender, want := range map[string]string{
		"":                              "Return-Path: <>\r\n",
		"a@b.example":                   "Return-Path: <a@b.example>\r\n",
		`"a>b"@[192.0.2.1]`:             "Return-Path: <\"a>b\"@[192.0.2.1]>\r\n",
		"a@b>\r\nX: y":                  "",
		"a":                             "",
		"\"a\r\nX: y\"@b":               "",
		strings.Repeat("a", 999) + "@b": "",
	} {
		got, err := message.ReturnPath(sender)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q %v", sender, got, err)
		}
	}
}

func TestDatesHaveTheFormOfRFC5322(t *testing.T) {
	if got := message.FormatDate(july); got != "Tue, 01 Jul 2025 09:30:00 +0800" {
		t.Error(got)
	}
	b := make([]byte, 0, 31)
	if n := testing.AllocsPerRun(100, func() { b = message.AppendDate(b[:0], july) }); n != 0 || string(b) != message.FormatDate(july) {
		t.Error(n, string(b))
	}
	m := letter()
	m.Date = time.Date(1899, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := m.WriteTo(discard{}); err == nil {
		t.Error("a year before 1900 was written")
	}
}
