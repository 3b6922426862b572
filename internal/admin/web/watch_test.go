package web_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/admin"
	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/admin/web"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// talk is a session in which we speak with a host, as the registry of a house sees it.
type talk struct {
	*smtpclient.Trace
	number uint64
	cut    net.Conn // ends when the session is cut
}

// talkTo begins one. Lines that begin with "C" are ours.
func (w *world) talkTo(host string, lines ...string) *talk {
	w.t.Helper()
	ours, theirs := net.Pipe()
	w.t.Cleanup(func() { ours.Close(); theirs.Close() })
	s := &talk{Trace: w.house.Sessions.Outbound(host, ours), cut: theirs}
	for _, one := range w.house.Sessions.List() {
		s.number = max(s.number, one.ID)
	}
	s.say(lines...)
	return s
}

func (s *talk) say(lines ...string) {
	for _, line := range lines {
		if line[0] == 'C' {
			s.Sent(time.Now(), []byte(line[1:]))
		} else {
			s.Received(time.Now(), []byte(line[1:]))
		}
	}
}

func (s *talk) page() string { return fmt.Sprint("/sessions/", s.number) }

// TestAttemptsAndSessions: an attempt leads to what was said, and the session back to the
// message.
func TestAttemptsAndSessions(t *testing.T) {
	w := openWorld(t, web.Options{})
	id := w.house.Send("ann@example.org", "Hello", "bob@grey.example")
	s := w.talkTo("mx1.grey.example", "S220 mx1.grey.example", "CMAIL FROM:<ann@example.org>")
	other := w.talkTo("mx1.grey.example", "S220 mx1.grey.example")
	w.house.Sessions.Carries(s.Trace, id)
	w.house.Sessions.Carries(s.Trace, id) // in a second transaction
	attempt := event.Attempt{To: admintest.Address("bob@grey.example"), Outcome: mail.Outcome{
		Fate: mail.Deferred, At: time.Now(), Host: "mx1.grey.example", Reply: smtp.Replyf(450, smtp.EnhancedCode{4, 7, 1}, "Later"),
	}}
	if err := w.house.Spool.Note(t.Context(), []spool.Fact{{ID: id, At: time.Now(), Data: event.Append(nil, &attempt)}}); err != nil {
		t.Fatal(err)
	}
	p := w.get("/messages/" + id.String())
	w.says(p, 200, "What was said")
	if strings.Count(p.text, `href="`+s.page()+`"`) != 1 || strings.Contains(p.text, other.page()) {
		t.Errorf("the attempt does not lead to its session %s: %s", s.page(), p.text)
	}
	back := w.get(s.page())
	w.says(back, 200, "Messages of this session", id.String())
	if strings.Count(back.text, "/messages/"+id.String()) != 1 {
		t.Errorf("the session leads back to its message so often: %d", strings.Count(back.text, "/messages/"+id.String()))
	}
}

// TestSessions: somebody sees who speaks, reads along, cuts one off, and finds what has failed.
func TestSessions(t *testing.T) {
	w := openWorld(t, web.Options{})
	w.says(w.get("/sessions"), 200, "0 live", "Nobody speaks with us now")
	s := w.talkTo("mx1.sina.example", "S220 mx1.sina.example ready", "CEHLO mx.example.org", "S250 PIPELINING", "CMAIL FROM:<ann@example.org>")
	failed := w.talkTo("mx.down.example", "S421 4.3.2 Too busy, come again")
	failed.End(time.Now(), errors.New("421 4.3.2 Too busy, come again"))
	w.says(w.get("/sessions"), 200, "1 live", "mx1.sina.example", "envelope", "MAIL FROM:<ann@example.org>", "Failed", "mx.down.example", "421 4.3.2 Too busy")
	w.says(w.get("/sessions", "Accept-Language", "zh"), 200, "1 个进行中", "外连", "失败的会话")

	f := w.follow(s.page())
	f.until("220 mx1.sina.example ready")
	s.say("S250 2.1.0 Sender ok", "CRCPT TO:<bob@sina.example>")
	f.until("RCPT TO:&lt;bob@sina.example&gt;")
	w.says(w.get(s.page()), 200, "mx1.sina.example", "C EHLO mx.example.org", "S 250 2.1.0 Sender ok", "Cut")
	w.says(w.get(failed.page()), 200, "failed", "421 4.3.2 Too busy, come again")
	if strings.Contains(w.get(failed.page()).text, "/cut") {
		t.Error("what is over can be cut")
	}
	w.says(w.post(s.page()+"/cut"), 200, "The session was cut.")
	if _, err := s.cut.Read(make([]byte, 1)); err == nil {
		t.Error("the connection goes on")
	}
	s.End(time.Now(), net.ErrClosed)
	w.says(w.get("/sessions/4711"), 404, "there is no session 4711")
	w.says(w.get("/sessions/x"), 400)
	w.says(w.post("/sessions/4711/cut"), 404)
}

// TestSessionOfMessage: the page of a message leads to the session in which it came, as
// long as that is kept.
func TestSessionOfMessage(t *testing.T) {
	w := openWorld(t, web.Options{})
	id := w.house.Send("ann@example.org", "Hello", "bob@grey.example")
	if p := w.get("/messages/" + id.String()); p.status != 200 || strings.Contains(p.text, "/sessions/") {
		t.Errorf("a message that came by no session leads to one (%d)", p.status)
	}
	s := w.talkTo("client.example", "S220 ready")
	w.house.Sessions.Brought(s.number, id)
	p := w.get("/messages/" + id.String())
	w.says(p, 200, "Transcript The session in which it came")
	if !strings.Contains(p.text, `href="`+s.page()+`"`) {
		t.Error("the link leads elsewhere")
	}
}

// TestSearch: messages are found by what people know of them, whatever became of them.
func TestSearch(t *testing.T) {
	var log strings.Builder
	w := openWorld(t, web.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	defer func() {
		w.end()
		if strings.Contains(log.String(), "ERROR") {
			t.Errorf("a search is told as an error: %s", &log)
		}
	}()
	w.says(w.get("/find"), 200, "The journal is empty", "from:X to:X")
	w.house.Send("ann@example.org", "Invoice 4711", "bob@sina.example")
	w.house.Send("joe@example.org", "Minutes", "carl@full.example")
	w.says(w.get("/find"), 200, "Lately", "Invoice 4711", "Minutes")
	for q, found := range map[string]string{
		"bob@sina.example": "Invoice 4711", "invo*": "Relayed", "reply:mailbox": "552 5.2.2 Mailbox full", "from:joe@example.org": "Failed",
		"to:full.example": "Minutes", "fate:failed": "Minutes",
	} {
		p := w.get("/find?q=" + q)
		w.says(p, 200, found)
		if invoice := strings.Contains(p.words(), "Invoice"); invoice == strings.Contains(p.words(), "Minutes") {
			t.Errorf("%s finds both, or nothing: %s", q, p.words())
		}
	}
	w.says(w.get("/find?q=nobody@nowhere.example"), 200, "Nothing was found")
	w.says(w.get("/find?q=colour:red"), 200, `there is no "colour:" to search by`)
	w.says(w.get("/find?q=nobody", "Accept-Language", "zh"), 200, "没有找到")
	w.says(w.get("/find?q=x&after=nonsense"), 200, "nonsense")
	if p := w.get("/find?q=minutes"); !strings.Contains(p.text, `href="/messages/`) || !strings.Contains(p.text, "<title>Search · mx.example.org</title>") {
		t.Errorf("what is found leads nowhere: %s", p.text)
	}
}

// TestSearchPages: fifty on a page, the newest first, and each once.
func TestSearchPages(t *testing.T) {
	w := openWorld(t, web.Options{})
	for i := range 120 {
		w.house.Send("ann@example.org", fmt.Sprintf("Letter n%03d", i), "bob@sina.example")
	}
	seen, path := 0, "/find?q=sina.example"
	for pages := 1; path != ""; pages++ {
		p := w.get(path)
		for range strings.Count(p.text, ">Letter n") {
			if want := fmt.Sprintf(">Letter n%03d<", 119-seen); !strings.Contains(p.text, want) {
				t.Fatalf("page %d has no %s", pages, want)
			}
			seen++
		}
		if path = strings.ReplaceAll(between(p.text, `rel="next" href="`, `"`), "&amp;", "&"); pages < 3 && seen != 50*pages {
			t.Fatalf("%d pages show %d", pages, seen)
		}
	}
	if seen != 120 {
		t.Errorf("%d of 120 were found", seen)
	}
}

// TestOverview tells how it goes.
func TestOverview(t *testing.T) {
	w := openWorld(t, web.Options{})
	w.says(w.get("/overview"), 200, "up for 2d 2h", "0 accepted", "Nothing was sent lately.", "59m ago", "now")
	w.house.Send("ann@example.org", "Hello", "bob@sina.example", "carl@full.example", "eve@grey.example")
	w.talkTo("mx1.sina.example", "S220 ready")
	p := w.get("/overview")
	w.says(p, 200, "1 accepted", "1 delivered", "0 / 1 sessions in / out", "waiting 1", "1 waiting", "Top destinations", "sina.example 1 0 0", "full.example 0 0 1", "grey.example 0 1 0")
	if n := strings.Count(p.text, "<polyline"); n != 8 {
		t.Errorf("there are %d lines in the plots", n)
	}
	w.says(w.get("/overview", "Accept-Language", "zh"), 200, "概览", "主要目的地", "磁盘剩余")
	w.house.Holding = true
	w.says(w.get("/overview"), 200, "Nothing is sent: the configuration holds all mail back. main.hcl:7:1")
}

// TestCertificates: each is there with what it is, and those that somebody has to look
// after are told first of all.
func TestCertificates(t *testing.T) {
	day := 24 * time.Hour
	w := openWorld(t, web.Options{})
	if p := w.get("/overview"); strings.Contains(p.words(), "Certificates") {
		t.Error("a house without certificates has a table of them")
	}
	for _, c := range []struct {
		is         admin.Certificate
		mood, says string
		alarm      bool
	}{
		{admin.Certificate{Name: "mx.example.org", Others: []string{"mail.example.org"}, Issuer: "Let's Encrypt R11", From: "mx.pem", Until: after(60 * day)}, "ok", "mx.example.org mail.example.org good in 60d", false},
		{admin.Certificate{Name: "mx.example.org", From: "mx.pem", Until: after(13 * day)}, "warn", "ends soon in 13d", true},
		{admin.Certificate{Name: "mx.example.org", From: "https://acme.example/dir", Until: after(13 * day), Next: after(day)}, "ok", "The next is asked for in 1d.", false},
		{admin.Certificate{Name: "mx.example.org", From: "https://acme.example/dir", Until: after(40 * day), Trouble: "HTTP 400: nobody answers"}, "warn", "There is no newer one: HTTP 400: nobody answers", true},
		{admin.Certificate{Name: "mx.example.org", From: "https://acme.example/dir", Until: after(day), Issuer: "R11"}, "warn", "ends soon in 1d", true},
		{admin.Certificate{Name: "mx.example.org", From: "mx.pem", Until: after(-day)}, "bad", "over 23h ago", true},
		{admin.Certificate{Name: "mx.example.org", From: "https://acme.example/dir"}, "warn", "not there yet —", true},
		{admin.Certificate{Name: "mx.example.org", Until: after(300 * day)}, "info", "made for the run in 300d", false},
		{admin.Certificate{Name: "n0.example.org", From: "mx.pem", Until: after(300 * day), Others: strings.Fields(strings.Repeat("n.example.org ", 99))}, "ok", "n.example.org + 91 good", false},
	} {
		w.house.Certificates = []admin.Certificate{{Name: "other.example.org", From: "o.pem", Until: after(90 * day)}, c.is}
		p := w.get("/overview")
		w.says(p, 200, "Certificates", "other.example.org good", c.says)
		if !strings.Contains(p.text, `<span class="badge `+c.mood+`">`) {
			t.Errorf("%s is not %s", c.says, c.mood)
		}
		if alarm := strings.Contains(p.text, `<p class="notice`); alarm != c.alarm {
			t.Errorf("%s: an alarm is %v", c.says, alarm)
		}
		w.says(w.get("/overview", "Accept-Language", "zh"), 200, "证书", "有效")
	}
}

// after is an instant that is so far away when somebody looks, half a minute later.
func after(d time.Duration) time.Time { return time.Now().Add(d + 30*time.Second) }
