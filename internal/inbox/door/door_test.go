package door_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/inbox"
	"github.com/posthouse/posthouse/internal/inbox/door"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/scenario"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// place is a door that is answered, and its inbox.
type place struct {
	*door.Door
	store *inbox.Store
	addr  string
}

func answered(t *testing.T) *place {
	t.Helper()
	store, err := inbox.Open(inbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := daemon.SelfMade(time.Now(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	d := door.New(door.Options{Store: store, By: inbox.ByLogin | inbox.ByTag, Listener: "test", Hostname: "mx.test"})
	s := &smtpserver.Server{Hostname: "mx.test", TLS: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	d.Fit(s)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(d.Listener(l)) }()
	t.Cleanup(func() {
		_ = s.Close()
		<-served
		_ = store.Close()
	})
	return &place{d, store, l.Addr().String()}
}

// play begins a scenario of HCL for every inbox.
func (p *place) play(t *testing.T, text string) {
	t.Helper()
	f, err := scenario.ParseFile("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	f.Inboxes[""] = f.All
	for name, rules := range f.Inboxes {
		s, err := scenario.New(rules)
		if err != nil {
			t.Fatal(err)
		}
		p.Stage().Play(name, s)
	}
}

// caller is a client that says and hears lines.
type caller struct {
	net.Conn
	in *bufio.Reader
}

func (p *place) call(t *testing.T) *caller {
	t.Helper()
	nc, err := net.Dial("tcp", p.addr)
	if errors.Is(err, syscall.ECONNRESET) { // cut before we knew that we were through
		gone, _ := net.Pipe()
		_ = gone.Close()
		return &caller{gone, bufio.NewReader(gone)}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(2 * time.Minute)) // a guard
	return &caller{nc, bufio.NewReader(nc)}
}

// hear returns the last line of a reply, or "cut".
func (c *caller) hear() string {
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return "cut"
		}
		if len(line) > 3 && line[3] == ' ' {
			return strings.TrimRight(line, "\r\n")
		}
	}
}

// talk says lines, and returns the codes that it hears, the greeting's first, until it is cut.
func (c *caller) talk(lines ...string) string {
	heard := code(c.hear())
	for _, l := range lines {
		if strings.HasSuffix(heard, "cut") {
			break
		}
		_, _ = fmt.Fprintf(c, "%s\r\n", l) // what cannot be said is heard as a cut
		heard += " " + code(c.hear())
	}
	return heard
}

func code(line string) string { return line[:3] }

// letter are the lines that send a message.
func letter(from, to string) []string {
	return []string{"EHLO me.test", "MAIL FROM:<" + from + ">", "RCPT TO:<" + to + ">", "DATA", "Subject: hi\r\n\r\nwords\r\n.", "QUIT"}
}

// TestScenarios plays each fault against a client that says what it hears.
func TestScenarios(t *testing.T) {
	for _, c := range []struct{ rules, want string }{
		{``, "220 250 250 250 354 250 221"},
		{`on "connect" { reply = "554 Not today" }`, "554 cut"},
		{`on "connect" { drop = true }`, "cut"},
		{`on "helo" { reply = "550 5.7.1 Who are you" }`, "220 550 503 503 503 500 500"},
		{`on "mail" { reply = "451 4.3.0 Later" }`, "220 250 451 503 503 500 500"},
		{`on "mail" { rate = "1/1h" }` + "\n" + `on "rcpt" { reply = "452 4.5.3 Full" }`, "220 250 250 452 554 500 500"},
		{`on "rcpt" { to = "other@*"; drop = true }`, "220 250 250 250 354 250 221"},
		{`on "rcpt" { greylist = "1h" }`, "220 250 250 451 554 500 500"},
		{`on "data" { reply = "451 4.3.0 No disk" }`, "220 250 250 250 451 500 500"},
		{`on "data" { drop = true }`, "220 250 250 250 cut"},
		{`on "dot" { reply = "554 5.6.0 Spam" }`, "220 250 250 250 354 554 221"},
		{`on "dot" { drop = true }`, "220 250 250 250 354 cut"},
		{`on "dot" { delay = "10ms"; trickle = "1ms" }`, "220 250 250 250 354 250 221"},
		{`inbox "x" { on "dot" { reply = "552 5.2.2 Full" } }`, "220 250 250 250 354 552 221"},
		{`inbox "y" { on "dot" { reply = "552 5.2.2 Full" } }`, "220 250 250 250 354 250 221"},
	} {
		rules := strings.NewReplacer("{ ", "{\n", " }", "\n}", "; ", "\n").Replace(c.rules)
		p := answered(t)
		p.play(t, rules)
		got := strings.Fields(p.call(t).talk(letter("a@b.test", "jane+x@c.test")...))
		if i := strings.Index(c.want, "500 500"); i >= 0 { // the text is taken for commands
			got = got[:len(strings.Fields(c.want[:i]))]
			c.want = strings.TrimSpace(c.want[:i])
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s\nheard %s\nwant  %s", c.rules, strings.Join(got, " "), c.want)
		}
	}
}

// TestOtherWords: a scenario may have us accept in the words of another server.
func TestOtherWords(t *testing.T) {
	p := answered(t)
	p.play(t, `
on "connect" { reply = "220 ESMTP Another" }
on "helo" { reply = "250 Pleased to meet you" }
on "mail" { reply = "250 2.1.0 Sender ok" }
on "rcpt" { reply = "251 2.1.5 He moved" }
on "data" { reply = "354 Go ahead" }
on "dot" {
  tries = "1"
  reply = "250 2.0.0 Ok: queued as 4BXZ1"
}
on "auth" { reply = "235 2.7.0 Come in" }
on "starttls" { reply = "220 2.0.0 Go" }
`)
	c := p.call(t)
	lines := letter("a@b.test", "x@c.test")
	say := append([]string{lines[0], "AUTH PLAIN AEphbmUAeA=="}, lines[1:5]...)
	say = append(say, "RSET", lines[1], lines[2], "DATA", "Subject: again\r\n\r\nwords\r\n.", "NOOP")
	var heard []string
	for i := 0; ; i++ {
		heard = append(heard, c.hear())
		if i == len(say) {
			break
		}
		_, _ = fmt.Fprintf(c, "%s\r\n", say[i])
	}
	got := strings.Join(heard, "\n")
	want := `220 mx.test ESMTP Another
250 ` + strings.TrimPrefix(heard[1], "250 ") + `
235 2.7.0 Come in
250 2.1.0 Sender ok
251 2.1.5 He moved
354 Go ahead
250 2.0.0 Ok: queued as 4BXZ1
250 2.0.0 OK
250 2.1.0 Sender ok
251 2.1.5 He moved
354 Go ahead
250 2.0.0 Kept as `
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "\n250 2.0.0 OK") {
		t.Errorf("heard\n%s\nwant\n%s", got, want)
	}
	if n := p.store.List("jane", inbox.Query{}, mail.ID{}, 10).Found; n != 2 {
		t.Errorf("%d messages were kept", n)
	}
	c = p.call(t)
	c.talk("EHLO me.test")
	_, _ = fmt.Fprint(c, "STARTTLS\r\n")
	if heard := c.hear(); heard != "220 2.0.0 mx.test Go" {
		t.Errorf("heard %s", heard)
	}
	if got := look(c); got != "fine" {
		t.Errorf("the handshake: %s", got)
	}
}

// TestDroppedAfterTheDot: the message was kept though nobody heard so.
func TestDroppedAfterTheDot(t *testing.T) {
	p := answered(t)
	p.play(t, `on "dot" { drop = true }`)
	p.call(t).talk(letter("a@b.test", "jane@c.test")...)
	if _, err := p.store.Wait(t.Context(), "inbox", inbox.Subject("hi"), mail.ID{}); err != nil {
		t.Error(err)
	}
}

// TestTLS: the certificate is the one that the scenario wants, and STARTTLS can be refused.
func TestTLS(t *testing.T) {
	p := answered(t)
	p.play(t, "on \"starttls\" {\n tries = \"1\"\n reply = \"454 4.7.0 Not now\"\n}\non \"starttls\" {\n tries = \"2\"\n certificate = \"expired\"\n}\n"+
		"on \"starttls\" {\n tries = \"3\"\n certificate = \"wrong-name\"\n}\n")
	for i, want := range []string{"refused", "expired", "wrong.invalid", "fine"} {
		c := p.call(t)
		got := "refused"
		if c.talk("EHLO me.test", "STARTTLS") == "220 250 220" {
			got = look(c)
		}
		if got != want {
			t.Errorf("try %d: %s, want %s", i+1, got, want)
		}
	}
}

// look shakes hands and says what is wrong with the certificate.
func look(c *caller) string {
	secure := tls.Client(c.Conn, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // it is looked at
	if err := secure.Handshake(); err != nil {
		return err.Error()
	}
	leaf := secure.ConnectionState().PeerCertificates[0]
	switch {
	case time.Now().After(leaf.NotAfter):
		return "expired"
	case leaf.VerifyHostname("localhost") != nil:
		return strings.Join(leaf.DNSNames, " ")
	}
	return "fine"
}

// TestLoginsAndTags: each has an inbox of its own, and any password will do.
func TestLoginsAndTags(t *testing.T) {
	p := answered(t)
	for _, c := range []struct{ auth, to, want string }{
		{"", "jane+shop@c.test", "shop"},
		{"", "jane@c.test", "inbox"},
		{"AUTH PLAIN AEphbmUAeA==", "jane+shop@c.test", "jane"},
		{"AUTH LOGIN Sm9l", "x@c.test", "joe"},
	} {
		lines := letter("a@b.test", c.to)
		switch {
		case strings.HasPrefix(c.auth, "AUTH LOGIN"):
			lines = append([]string{lines[0], c.auth, "eA=="}, lines[1:]...)
		case c.auth != "":
			lines = append([]string{lines[0], c.auth}, lines[1:]...)
		}
		if heard := p.call(t).talk(lines...); !strings.HasSuffix(heard, "354 250 221") {
			t.Errorf("%s: heard %s", c.want, heard)
		}
		if m, err := p.store.Wait(t.Context(), c.want, inbox.Query{}, mail.ID{}); err != nil || m.To[0] != c.to || m.Source.Listener != "test" {
			t.Errorf("%s: %+v, %v", c.want, m, err)
		}
	}
}

// TestDialogue: what was said is there to read, to the end of the session, without the password.
func TestDialogue(t *testing.T) {
	p := answered(t)
	lines := letter("a@b.test", "x@c.test")
	p.call(t).talk(append([]string{lines[0], "AUTH PLAIN AEphbmUAeA=="}, lines[1:]...)...)
	var told string
	for changed := p.store.Changed(); ; changed = p.store.Changed() {
		told = ""
		for _, m := range p.store.List("", inbox.Query{}, mail.ID{}, 1).Messages {
			said, err := p.store.Dialogue("", m.ID)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range said {
				told += l.Who.String() + " " + l.Text + "\n"
			}
		}
		if strings.Contains(told, "C QUIT") {
			break
		}
		<-changed
	}
	for _, want := range []string{"S 220 mx.test", "C AUTH PLAIN ***", "C MAIL FROM:<a@b.test>", "S 250 2.0.0 Kept as "} {
		if !strings.Contains(told, want) {
			t.Errorf("%q is not in\n%s", want, told)
		}
	}
	if strings.Contains(told, "AEphbmUAeA") {
		t.Errorf("the password is in\n%s", told)
	}
}

// TestFieldsOnTop: a message is kept as it came, under the fields of its delivery.
func TestFieldsOnTop(t *testing.T) {
	p := answered(t)
	p.call(t).talk(letter("a@b.test", "x@c.test")...)
	m, err := p.store.Wait(t.Context(), "inbox", inbox.Query{}, mail.ID{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := p.store.Open("", m.ID)
	if err != nil {
		t.Fatal(err)
	}
	source, err := io.ReadAll(f)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	if s := string(source); !strings.HasPrefix(s, "Return-Path: <a@b.test>\r\nReceived: from me.test") || !strings.HasSuffix(s, "\r\nSubject: hi\r\n\r\nwords\r\n") {
		t.Errorf("kept is %q", s)
	}
}
