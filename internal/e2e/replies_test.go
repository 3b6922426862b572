package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// What a next hop may say in place of what it should, and what becomes of the mail:
// the words of the log.
var manners = []struct {
	name    string
	answers map[string]string
	want    string // of the log: a word, and what else must be in the line
	also    string
}{
	{"a flood of lines", map[string]string{"EHLO": strings.Repeat("250-X\r\n", 200_000)}, "deferred", "451 4."},
	{"a line without an end", map[string]string{"": "220 " + strings.Repeat("x", 4<<20)}, "deferred", "451 4."},
	{"a greeting that is none", map[string]string{"": "hello there\r\n"}, "deferred", "451 4."},
	{"silence, and the end", map[string]string{"": hangUp}, "deferred", "451 4.4."},
	{"no service", map[string]string{"": "554 5.3.2 no mail here\r\n"}, "failed", "554 5.3.2 no mail here"},
	{"not now", map[string]string{"": "421 4.3.2 come later\r\n" + hangUp}, "deferred", "421 4.3.2 come later"},
	{"a success that nobody knows", map[string]string{"MAIL": "299 why not\r\n"}, "relayed", "250 taken"},
	{"success without words", map[string]string{"RCPT": "250\r\n", ".": "250\r\n"}, "relayed", `reply="250`},
	{"a code of no class", map[string]string{"RCPT": "650 what\r\n"}, "deferred", "451 4."},
	{"a code too long", map[string]string{"RCPT": "2500 fine\r\n"}, "deferred", "451 4."},
	{"octets, not words", map[string]string{"RCPT": "550 5.1.1 \xff\x1b[2J\x00 no\r\n"}, "failed", "550 5.1.1 "},
	{"lines that differ", map[string]string{"RCPT": "250-5.1.1 yes\r\n550 5.1.1 no\r\n"}, "deferred", "451 4."},
	{"no text wanted", map[string]string{"DATA": "250 taken already\r\n"}, "deferred", "4."},
	{"a text wanted too early", map[string]string{"RCPT": "354 go on\r\n"}, "deferred", "4."},
	{"the end in the middle", map[string]string{"RCPT": "421 4.3.2 ending\r\n" + hangUp}, "deferred", "421 4.3.2 ending"},
	{"the end instead of a text", map[string]string{"DATA": hangUp}, "deferred", "451 4.4.2"},
	{"the end after the text", map[string]string{".": "421 4.3.2 ending\r\n" + hangUp}, "deferred", "421 4.3.2 ending"},
	{"cut after the text", map[string]string{".": hangUp}, "deferred", "unsure "},
	{"more answers than questions", map[string]string{".": "250 taken\r\n250 and more\r\n550 5.1.1 and no\r\n"}, "relayed", "250 taken"},
	{"refused with much to say", map[string]string{".": strings.Repeat("554-5.7.1 "+strings.Repeat("because ", 50)+"\r\n", 50) + "554 5.7.1 so there\r\n"}, "failed", "554 5.7.1"},
}

// Whatever the next hop answers, nothing is lost, nothing goes where it should not,
// and the log says what happened in one clean line; the mail behind it goes on.
func TestAnswersOfEveryKind(t *testing.T) {
	t.Parallel()
	h := unpack(t, "answers")
	conf, err := os.OpenFile(filepath.Join(h.dir, "posthouse.hcl"), os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	peers := make([]*peer, len(manners))
	for i, m := range manners {
		peers[i] = startPeer(t, m.answers)
		fmt.Fprintf(conf, "route \"kind%d\" {\n  to = \"kind%d.test\"\n  smarthost = %q\n  tls = \"never\"\n}\n", i, i, peers[i].addr)
	}
	check(t, conf.Close())
	h.run(t)
	c := dial(t, h.at["smtp"])
	for i, m := range manners {
		send(t, c, from(t, "alice@example.org", fmt.Sprintf("bob@kind%d.test", i)), "Subject: "+m.name+"\n\nRCPT TO:<eve@evil.test>\nHello.\n")
	}
	send(t, c, from(t, "alice@example.org", "alice@example.org"), "Subject: meanwhile\n\nHello.\n")
	failures := 0
	for i, m := range manners {
		line := h.await(t, fmt.Sprintf(`msg=(relayed|deferred|failed) .*to=<bob@kind%d.test>`, i), 1)[0]
		if !strings.Contains(line, "msg="+m.want+" ") || !strings.Contains(line, m.also) || len(line) > 3000 {
			t.Errorf("%s: want %s, %q in\n%.3000s", m.name, m.want, m.also, line)
		}
		if m.want == "failed" {
			failures++
		}
		if got := len(peers[i].took()); m.want == "relayed" && got != 1 || m.want != "relayed" && got != 0 {
			t.Errorf("%s: the peer took %d messages", m.name, got)
		}
		for _, said := range peers[i].commands() {
			if strings.Contains(said, "evil.test") || strings.Contains(said, "Hello") {
				t.Errorf("%s: a part of the text was said as a command: %q", m.name, said)
			}
		}
	}
	for _, l := range awaitLetters(t, h.box("alice@example.org"), failures+1, h.log) {
		if strings.ContainsAny(l, "\x00\x1b") || !utf8.ValidString(l) || !strings.Contains(l, "Subject: meanwhile\n") && !strings.Contains(l, "Action: failed\n") {
			t.Errorf("among the mail is\n%q", l)
		}
	}
	h.end(t)
	h.isClean(t)
}

// A peer that has the message, and says nothing: nobody knows whether it counts. When the house is
// killed then, and starts again, the message goes out once more, and the journal says
// that this may be a second copy.
func TestKilledWhileNobodyKnows(t *testing.T) {
	t.Parallel()
	p := startPeer(t, map[string]string{".": waits})
	h := open(t, "relay", "ADDRESS=127.0.0.1:0", "NEXT="+p.addr, "TLS=never")
	send(t, dial(t, h.at["smtp"]), from(t, "alice@example.org", "bob@example.net"), "Subject: perhaps\n\nHello.\n")
	await(t, "the text at the peer", func() bool { return p.texts() == 1 }, h.log)
	check(t, h.cmd.Process.Kill())
	_ = h.cmd.Wait()
	p.changes(".", "250 taken\r\n")
	h.run(t)
	await(t, "the text at the peer, again", func() bool { return p.texts() == 2 }, h.log)
	h.await(t, "msg=relayed", 1)
	h.await(t, "msg=possible-second-copy .*to=<bob@example.net>", 1)
}
