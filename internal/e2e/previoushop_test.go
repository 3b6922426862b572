package e2e

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// behindPostfix runs a house at an address, and a Postfix that sends it all mail.
func behindPostfix(t *testing.T, settings string, env ...string) (*house, *postfix) {
	t.Helper()
	needsPostfix(t)
	h := open(t, "mx", append([]string{"ADDRESS=" + vacant(t)}, env...)...)
	p := startPostfix(t, "before.test", vacant(t), "relayhost = "+h.at["smtp"]+"\n"+settings)
	return h, p
}

// What Postfix brings, many messages over few connections, is in the Maildirs
// as it was; once for each recipient, with fields of ours on top.
func TestPostfixBringsMail(t *testing.T) {
	t.Parallel()
	h, p := behindPostfix(t, "", "TLS=off", "RESERVE=16MiB")
	texts := []string{
		"Subject: dots\n\n.\n..\n.x\n\n.\n",
		"Subject: past ASCII\n\nh\xc3\xa9, and no UTF-8: \xff\xfe\n",
		"Subject: large\n\n" + strings.Repeat("a line of the sixty characters that a large message has 123\n", 5000),
	}
	const count = 30
	c := dial(t, p.addr)
	for i := range count {
		send(t, c, from(t, "alice@example.net", "bob@example.org", "carol@example.org"), fmt.Sprintf("X-Number: %d\n", i)+texts[i%len(texts)])
	}
	for _, user := range []string{"bob@example.org", "carol@example.org"} {
		arrived := map[string]string{}
		for _, l := range awaitLetters(t, h.box(user), count, h.log) {
			if want := "Return-Path: <alice@example.net>\nDelivered-To: " + user + "\nReceived: from before.test ([127.0.0.1]) by mx.example.org with ESMTP\n id "; !strings.HasPrefix(l, want) {
				t.Fatalf("it begins with %.200q, want %q", l, want)
			}
			_, text, _ := strings.Cut(l, "X-Number: ")
			number, text, _ := strings.Cut(text, "\n")
			arrived[number] = text
		}
		for i := range count {
			if got, want := arrived[fmt.Sprint(i)], texts[i%len(texts)]; got != want {
				t.Fatalf("message %d of %s was changed: %s", i, user, cmp.Diff(want, got))
			}
		}
	}
	p.await(t, "status=sent .250 2.0.0 queued as ", count*2)
	if n := len(p.await(t, "removed", count)); n != count {
		t.Errorf("Postfix is done with %d of %d messages", n, count)
	}
}

// An address and a header past ASCII come from Postfix with SMTPUTF8, over TLS that
// is there for the asking.
func TestPostfixBringsUTF8(t *testing.T) {
	t.Parallel()
	h, p := behindPostfix(t, "smtp_tls_security_level = encrypt\nsmtp_tls_loglevel = 1", "TLS=offer", "RESERVE=16MiB")
	text := "From: 王 <王@example.net>\nSubject: 你好\n\n再见\n"
	send(t, dial(t, p.addr), from(t, "王@example.net", "李@example.org"), text)
	l := h.letter(t, "李@example.org")
	if !strings.HasPrefix(l, "Return-Path: <王@example.net>\nDelivered-To: 李@example.org\nReceived: from before.test ") ||
		!strings.Contains(l, " with UTF8SMTPS\n tls \"TLS 1.3 TLS_") && !strings.Contains(l, "UTF8SMTPS") || !strings.HasSuffix(l, "\n"+text) {
		t.Errorf("it arrived as\n%s", l)
	}
	if s := p.log(); !strings.Contains(s, "TLS connection established to") || !strings.Contains(s, "TLSv1.3") {
		t.Error("Postfix does not tell of TLS 1.3")
	}
}

// With no room on the disk Postfix is told 452, before it sends a text, and
// keeps its mail. When there is room again all of it comes.
func TestPostfixWaitsForRoom(t *testing.T) {
	t.Parallel()
	address := vacant(t)
	h, p := behindPostfix(t, "", "ADDRESS="+address, "TLS=off", "RESERVE=500TiB")
	c := dial(t, p.addr)
	const count = 5
	for i := range count {
		send(t, c, from(t, "alice@example.net", "bob@example.org"), fmt.Sprintf("Subject: %d\n\nHello.\n", i))
	}
	for _, l := range p.await(t, "status=deferred", count) {
		if !strings.Contains(l, "said: 452 4.3.1 ") || !strings.Contains(l, "in reply to MAIL FROM command") {
			t.Errorf("Postfix says %s", l)
		}
	}
	if l := letters(t, h.box("bob@example.org")); len(l) > 0 {
		t.Errorf("without room there are %q", l)
	}
	h.end(t)
	h.env = append(h.env, "RESERVE=16MiB") // the last one counts
	h.run(t)
	p.flush(t)
	awaitLetters(t, h.box("bob@example.org"), count, h.log)
}

// Whom we do not know is refused to Postfix, which then tells the sender: no
// report of ours goes anywhere.
func TestPostfixHearsOfStrangers(t *testing.T) {
	t.Parallel()
	h, p := behindPostfix(t, "", "TLS=off", "RESERVE=16MiB")
	e := from(t, "bob@example.org", "carol@example.org", "eve@example.org")
	send(t, dial(t, p.addr), e, "Subject: to two\nMessage-ID: <two@example.org>\n\nHello.\n")
	h.letter(t, "carol@example.org")
	want := `report "Undelivered Mail Returned to Sender", about <two@example.org>
<eve@example.org> failed 5.1.1 by HOST, smtp: 550 5.1.1 Nobody is known here by the name <eve@example.org>
`
	compare(t, "Postfix's report", toldIn(t, h.letter(t, "bob@example.org")), want)
	if bytes.Contains([]byte(h.log()), []byte("msg=reported")) {
		t.Error("we have sent a report too")
	}
}

// A client that says BDAT gets its text through as it is, lone CR and LF among it.
func TestBinaryTextInChunks(t *testing.T) {
	t.Parallel()
	h := open(t, "mx", "ADDRESS=127.0.0.1:0", "TLS=off", "RESERVE=16MiB")
	e := from(t, "alice@example.net", "bob@example.org")
	e.Mail.Body = "BINARYMIME"
	text := "Subject: octets\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00\n\r.\r\n.\r\n" + strings.Repeat("\xff\x00", 100000)
	r, err := dial(t, h.at["smtp"]).Send(t.Context(), e, smtpclient.Bytes([]byte(text)))
	if err != nil || !r.Accepted() {
		t.Fatal(err)
	}
	if l := h.letter(t, "bob@example.org"); !strings.HasSuffix(l, "\n"+strings.ReplaceAll(text, "\r\n", "\n")) {
		t.Errorf("it arrived as %.300q", l)
	}
}
