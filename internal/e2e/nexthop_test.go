package e2e

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/mail"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// beforePostfix runs a house that relays to a Postfix with mailboxes in example.net,
// and the Postfix.
func beforePostfix(t *testing.T, settings string) (*house, *postfix) {
	t.Helper()
	needsPostfix(t)
	next := vacant(t)
	h := open(t, "relay", "ADDRESS="+vacant(t), "NEXT="+next, "TLS=never")
	p := startPostfix(t, "next.test", next, `
virtual_mailbox_domains = example.net
virtual_mailbox_maps = inline:{ bob@example.net=bob/, carol@example.net=carol/, dave@example.net=dave/ }
`+strings.ReplaceAll(settings, "@HOUSE@", h.at["smtp"]))
	return h, p
}

// What leaves is what came in, with one field on top; and for all of it one
// connection will do.
func TestManyMessagesToPostfix(t *testing.T) {
	t.Parallel()
	h, p := beforePostfix(t, "")
	texts := []string{
		"Subject: dots\n\n.\n..\n.x\n\n.\n",
		"Subject: past ASCII\n\nh\xc3\xa9, and no UTF-8: \xff\xfe\n",
		"Subject: a long line\n\n" + strings.Repeat("x", 990) + "\n",
		"Subject: only a header\n",
		"Subject: empty lines at the end\n\n\n\n\n",
		"X-ODD:\t kept \nSubject: folded\n\tand\n  again \n\n \ttrailing \t \n",
		"Subject: large\n\n" + strings.Repeat("a line of the sixty characters that a large message has 123\n", 5000),
	}
	const rounds = 10
	c := dial(t, h.at["smtp"])
	for i := range rounds * len(texts) {
		send(t, c, from(t, "alice@example.org", "bob@example.net"), fmt.Sprintf("X-Number: %d\n", i)+texts[i%len(texts)])
	}
	arrived := map[string]string{}
	for _, l := range awaitLetters(t, p.box("bob"), rounds*len(texts), p.log) {
		trace, text, _ := strings.Cut(l, "X-Number: ")
		number, text, _ := strings.Cut(text, "\n")
		arrived[number] = text
		ours := trace[strings.LastIndex(trace, "Received:"):]
		want := `^Received: from client\.test \(\[127\.0\.0\.1\]\) by mx\.example\.org with ESMTP\n id \w{20} for <bob@example\.net>;\n .*\n$`
		if !regexp.MustCompile(want).MatchString(ours) {
			t.Fatalf("on top of message %s is %q", number, ours)
		}
	}
	for i := range rounds * len(texts) {
		if got, want := arrived[fmt.Sprint(i)], texts[i%len(texts)]; got != want {
			t.Fatalf("message %d was changed: %s", i, cmp.Diff(want, got))
		}
	}
	if connects := p.await(t, " connect from", 2); len(connects) != 2 { // one was ours, when it started
		t.Errorf("%d messages took %d connections, want 1", len(arrived), len(connects)-1)
	}
}

// A text that Postfix does not take as it is, since it knows no BINARYMIME, arrives
// encoded, and means the same; the log says so. Addresses past ASCII go as they are.
func TestPostfixGetsWhatItCanTake(t *testing.T) {
	t.Parallel()
	h, p := beforePostfix(t, "")
	octets := strings.Repeat("\x00\r\n\n\r.\xff", 1000)
	e := from(t, "王@example.org", "bob@example.net")
	e.Mail.Body = smtp.BodyBinary
	text := "MIME-Version: 1.0\r\nSubject: 你好\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" + octets
	r, err := dial(t, h.at["smtp"]).Send(t.Context(), e, smtpclient.Bytes([]byte(text)))
	if err != nil || !r.Accepted() {
		t.Fatal(replies(r), err)
	}
	m, err := mail.ReadMessage(strings.NewReader(awaitLetters(t, p.box("bob"), 1, p.log)[0]))
	check(t, err)
	got, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, m.Body))
	if err != nil || string(got) != octets {
		t.Errorf("%v: %d octets of %d arrived as they were", err, len(got), len(octets))
	}
	for name, want := range map[string]string{"Subject": "你好", "Return-Path": "<王@example.org>", "Content-Transfer-Encoding": "base64"} {
		if got := m.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if line := h.await(t, "msg=relayed", 1)[0]; !strings.Contains(line, " encoded ") {
		t.Errorf("the log does not tell of it: %s", line)
	}
	h.end(t) // not without a good-bye
	p.await(t, " disconnect from .* ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5", 1)
}

// The recipients of a message go in one transaction, and each has a fate of its own. What
// the next hop refuses is told in one report.
func TestPostfixRefusesSome(t *testing.T) {
	t.Parallel()
	h, p := beforePostfix(t, `
message_size_limit = 100000
smtpd_recipient_restrictions = check_recipient_access inline:{ {full@example.net = 552 5.2.2 The mailbox is full}, {dave@example.net = 550 5.7.1 Not for you} }
`)
	c := dial(t, h.at["smtp"])
	to := []string{"bob@example.net", "nobody@example.net", "carol@example.net", "full@example.net", "dave@example.net"}
	send(t, c, from(t, "alice@example.org", to...), "Subject: to five\nMessage-ID: <five@example.org>\n\nHello.\n")
	awaitLetters(t, p.box("bob"), 1, p.log)
	awaitLetters(t, p.box("carol"), 1, p.log)
	p.await(t, `nrcpt=2 \(queue active\)`, 1)
	want := `report "Not delivered: to five", about <five@example.org>
<nobody@example.net> failed 5.1.1 by HOST, smtp: 550 5.1.1 <nobody@example.net>: Recipient address rejected: User unknown in virtual mailbox table
<full@example.net> failed 5.2.2 by HOST, smtp: 552 5.2.2 <full@example.net>: Recipient address rejected: The mailbox is full
<dave@example.net> failed 5.7.1 by HOST, smtp: 550 5.7.1 <dave@example.net>: Recipient address rejected: Not for you
`
	compare(t, "the report", toldIn(t, h.letter(t, "alice@example.org")), want)

	// One that is too large is not even sent: Postfix says in its greeting how much it takes.
	send(t, c, from(t, "alice@example.org", "bob@example.net"), "Subject: large\nMessage-ID: <large@example.org>\n\n"+strings.Repeat("large\n", 20000))
	for _, l := range awaitLetters(t, h.box("alice@example.org"), 2, h.log) {
		if !strings.Contains(l, "Subject: Not delivered: large\n") {
			continue
		}
		want = `report "Not delivered: large", about <large@example.org>
<bob@example.net> failed 5.3.4 by , x-posthouse: 552 5.3.4 the message has 140205 octets, the server takes 100000
`
		compare(t, "the report", toldIn(t, l), want)
	}
	awaitLetters(t, p.box("bob"), 1, p.log)
}

// More recipients than Postfix takes at a time go in several transactions, at once.
func TestPostfixTakesFewAtATime(t *testing.T) {
	t.Parallel()
	h, p := beforePostfix(t, "smtpd_recipient_limit = 20\nvirtual_mailbox_maps = static:bob/\n")
	var to []string
	for i := range 50 {
		to = append(to, fmt.Sprintf("subscriber%d@example.net", i))
	}
	send(t, dial(t, h.at["smtp"]), from(t, "alice@example.org", to...), "Subject: to fifty\n\nHello.\n")
	seen := map[string]bool{}
	for _, l := range awaitLetters(t, p.box("bob"), len(to), p.log) {
		seen[regexp.MustCompile(`(?m)^Delivered-To: (.*)$`).FindString(l)] = true
	}
	if len(seen) != len(to) {
		t.Errorf("%d recipients got it, want %d", len(seen), len(to))
	}
	h.await(t, "msg=relayed", len(to))
	p.await(t, `nrcpt=20 \(queue active\)`, 2)
	p.await(t, `nrcpt=10 \(queue active\)`, 1)
	if strings.Contains(h.log(), "msg=deferred") {
		t.Error("some were deferred because of the others")
	}
}

// A recipient that is greylisted waits, and goes through by itself; nobody hears of it.
func TestPostfixGreylists(t *testing.T) {
	t.Parallel()
	h, p := beforePostfix(t, "smtpd_recipient_restrictions = check_policy_service inet:"+greylist(t))
	send(t, dial(t, h.at["smtp"]), from(t, "alice@example.org", "bob@example.net", "carol@example.net"), "Subject: grey\n\nHello.\n")
	for _, l := range h.await(t, "msg=deferred", 2)[:2] {
		if !strings.Contains(l, "450 4.2.0 <") || !strings.Contains(l, "Come again") || !strings.Contains(l, "next=") {
			t.Errorf("the log says %s", l)
		}
	}
	h.await(t, "msg=relayed", 2)
	awaitLetters(t, p.box("bob"), 1, p.log)
	awaitLetters(t, p.box("carol"), 1, p.log)
	if l := letters(t, h.box("alice@example.org")); len(l) > 0 {
		t.Errorf("the sender got %s", l)
	}
}

// greylist is a policy service for Postfix that has each recipient come twice.
func greylist(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", host()+":0")
	check(t, err)
	t.Cleanup(func() { l.Close() })
	seen := make(chan map[string]bool, 1)
	seen <- map[string]bool{}
	answer := func(c net.Conn) {
		defer c.Close()
		recipient := ""
		for in := bufio.NewScanner(c); in.Scan(); {
			switch key, value, _ := strings.Cut(in.Text(), "="); key {
			case "recipient":
				recipient = value
			case "": // the end of a question
				known := <-seen
				action := "DUNNO"
				if !known[recipient] {
					action = "450 4.2.0 Come again"
				}
				known[recipient] = true
				seen <- known
				_, _ = io.WriteString(c, "action="+action+"\n\n")
			}
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answer(c)
		}
	}()
	return l.Addr().String()
}

// What the sender asked of reports goes along, and the report of success is
// Postfix's, since it has delivered.
func TestPostfixIsToldOfDSN(t *testing.T) {
	t.Parallel()
	h, p := beforePostfix(t, "relayhost = @HOUSE@")
	e := from(t, "alice@example.org", "bob@example.net")
	e.Mail.EnvID, e.Mail.Return = "QQ+314=159", smtp.ReturnHeaders
	e.To[0].Params = smtp.RcptParams{Notify: smtp.NotifySuccess, ORcpt: smtp.ORcpt{Type: "rfc822", Addr: "robert+home@example.com"}}
	send(t, dial(t, h.at["smtp"]), e, "Subject: asked for\n\nThis is not returned.\n")
	awaitLetters(t, p.box("bob"), 1, p.log)
	l := h.letter(t, "alice@example.org")
	for _, want := range []string{
		"Original-Envelope-Id: QQ+314=159\n", "Original-Recipient: rfc822;robert+home@example.com\n", "Action: delivered\n",
		"Reporting-MTA: dns; next.test\n", "Subject: asked for\n",
	} {
		if !strings.Contains(l, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if strings.Contains(l, "This is not returned") {
		t.Error("RET=HDRS was lost: the report has the whole message")
	}
	if t.Failed() {
		t.Log(l)
	}
}

// Over TLS the next hop has to prove who it is; one that cannot gets nothing.
func TestPostfixProvesItself(t *testing.T) {
	t.Parallel()
	needsPostfix(t)
	next := vacant(t)
	right, wrong := newAuthority(t), newAuthority(t)
	at, _, _ := net.SplitHostPort(next)
	chain, key := right.certify(t, at)
	p := startPostfix(t, "next.test", next, `
virtual_mailbox_domains = example.net
virtual_mailbox_maps = inline:{ bob@example.net=bob/, carol@example.net=carol/ }
smtpd_tls_security_level = encrypt
smtpd_tls_chain_files = `+key+", "+chain+`
smtpd_tls_received_header = yes
`)
	trusting := open(t, "relay-tls", "NEXT="+next, "CA="+right.file)
	send(t, dial(t, trusting.at["smtp"]), from(t, "alice@example.org", "bob@example.net"), "Subject: x\n\nHello.\n")
	l := awaitLetters(t, p.box("bob"), 1, p.log)[0]
	if !strings.Contains(l, "(using TLSv1.3 with cipher") {
		t.Errorf("no TLS in\n%s", l)
	}
	if line := trusting.await(t, "msg=relayed", 1)[0]; !strings.Contains(line, `tls="TLS 1.3 `) {
		t.Errorf("no TLS in %s", line)
	}

	doubting := open(t, "relay-tls", "NEXT="+next, "CA="+wrong.file)
	send(t, dial(t, doubting.at["smtp"]), from(t, "alice@example.org", "carol@example.net"), "Subject: x\n\nHello.\n")
	line := doubting.await(t, "msg=deferred", 1)[0]
	if !strings.Contains(line, "451 4.7.5") || !strings.Contains(line, "unknown authority") {
		t.Errorf("the log says %s", line)
	}
	if l := letters(t, p.box("carol")); len(l) > 0 {
		t.Errorf("Postfix has it: %s", l)
	}
}

// toldIn says in few words what a report tells, as a program reads it.
func toldIn(t *testing.T, letter string) string {
	t.Helper()
	r, err := dsn.Read(strings.NewReader(crlf(letter)))
	if err != nil {
		t.Fatalf("%v in\n%s", err, letter)
	}
	var b bytes.Buffer
	subject := ""
	for l := range strings.Lines(letter) {
		if s, is := strings.CutPrefix(l, "Subject: "); is && subject == "" {
			subject = strings.TrimSpace(s)
		}
	}
	fmt.Fprintf(&b, "report %q, about %s\n", subject, r.MessageID)
	for i := range r.Recipients {
		x := &r.Recipients[i]
		by := regexp.MustCompile(`^\[?127\.[0-9.]+\]?$`).ReplaceAllString(x.Remote, "HOST")
		fmt.Fprintf(&b, "<%s> %s %v by %s, %s: %s\n", x.Final.Addr, x.Action, x.Status, by, x.Diagnostic.Type, strings.Join(strings.Fields(x.Diagnostic.Text), " "))
	}
	return b.String()
}

func compare(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s is\n%s\nwant\n%s", what, got, want)
	}
}
