package smtpserver_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// The transcripts in testdata are played against a server whose Handler is a
// house. Comments in a transcript set it up:
//
//	# server: lmtp idle=5m      see settings
//	# taken: 1                  the number of messages that are accepted; default 0
//
// HELP STATUS shows the state of the session before and after a command.

// TestTranscripts plays what is in testdata.
func TestTranscripts(t *testing.T) {
	for _, f := range transcripts(t, "testdata/*.txt") {
		t.Run(f.name, f.play)
	}
}

// TestDialogues plays the dialogues that the client's tests play from the other
// side.
func TestDialogues(t *testing.T) {
	servers := map[string]string{
		"05-lmtp.txt":            "lmtp",
		"04-chunking.txt":        "offer=BINARYMIME",
		"06-helo-after-ehlo.txt": "old",
		"07-auth-plain.txt":      "plaintext-auth",
		"08-starttls.txt":        "starttls",
		"10-prdr.txt":            "offer=PRDR",
	}
	silent := map[string]bool{"07-auth-plain.txt": true, "08-starttls.txt": true, "09-vrfy-expn-noop-help.txt": true}
	for _, f := range transcripts(t, "../testdata/dialogues/*.txt") {
		f.settings = strings.Fields(servers[f.name])
		if !silent[f.name] {
			f.taken = 1
		}
		t.Run(f.name, f.play)
	}
}

// TestEveryWordIsSpoken: for each verb and for each reply code there is a
// transcript in which it happens.
func TestEveryWordIsSpoken(t *testing.T) {
	codes, verbs := map[smtp.Code]bool{}, map[smtp.Verb]bool{smtp.Greeting: true}
	for _, f := range append(transcripts(t, "testdata/*.txt"), transcripts(t, "../testdata/dialogues/*.txt")...) {
		for line := range strings.Lines(f.text) {
			who, said, _ := strings.Cut(strings.TrimSpace(line), " ")
			word, _, _ := strings.Cut(said, " ")
			switch {
			case who == "C:" && word == ".":
				verbs[smtp.Dot] = true
			case who == "C:":
				verbs[smtp.ParseVerb(word, true)] = true
			case strings.HasPrefix(who, "S") && len(said) >= 3:
				n, _ := strconv.Atoi(said[:3])
				codes[smtp.Code(n)] = true
			}
		}
	}
	for _, c := range smtp.Codes {
		if !codes[c.Code] {
			t.Errorf("no transcript has the code %d: %s", c.Code, c.Meaning)
		}
	}
	for _, v := range smtp.Verbs {
		if !verbs[v.Verb] {
			t.Errorf("no transcript has the verb %s", v.Name)
		}
	}
}

// script is a transcript with what it says of the server.
type script struct {
	name     string
	path     string
	text     string
	settings []string
	taken    int
}

func transcripts(t *testing.T, pattern string) (scripts []script) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no transcripts: %v", pattern, err)
	}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		f := script{name: filepath.Base(p), path: p, text: string(text)}
		for line := range strings.Lines(f.text) {
			if words, ok := strings.CutPrefix(line, "# server:"); ok {
				f.settings = append(f.settings, strings.Fields(words)...)
			}
			if n, ok := strings.CutPrefix(line, "# taken:"); ok {
				f.taken, _ = strconv.Atoi(strings.TrimSpace(n))
			}
		}
		scripts = append(scripts, f)
	}
	return scripts
}

func (f script) play(t *testing.T) {
	s, err := transcript.ReadFile(f.path)
	if err != nil {
		t.Fatal(err)
	}
	server := &smtpserver.Server{Handler: &house{}}
	for _, setting := range f.settings {
		if err := set(server, setting); err != nil {
			t.Fatalf("%s: %v", setting, err)
		}
	}
	inWorld(t, server, func(w *world) {
		conn := w.dial(stranger)
		if server.ImplicitTLS {
			secured := tls.Client(conn, clientTLS())
			if err := secured.Handshake(); err != nil {
				t.Fatal(err)
			}
			conn = secured
		}
		if err := s.Ask(conn, clientTLS()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := w.house.taken(); len(got) != f.taken {
			t.Errorf("%d messages were accepted, want %d", len(got), f.taken)
		}
	})
}

func clientTLS() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// set sets up a server with one word.
func set(s *smtpserver.Server, setting string) (err error) {
	name, value, _ := strings.Cut(setting, "=")
	number, _ := strconv.Atoi(value)
	long, _ := time.ParseDuration(value)
	h := s.Handler.(*house)
	switch name {
	case "lmtp":
		s.LMTP = true
	case "strict":
		s.Strict = true
	case "bare":
		h.bare = true
	case "old":
		h.old = true
	case "refuse":
		h.refuse = asked(value)
	case "starttls":
		s.TLS = withCertificate()
	case "implicit-tls":
		s.TLS, s.ImplicitTLS = withCertificate(), true
	case "require-tls":
		s.TLS, s.RequireTLS = withCertificate(), true
	case "require-auth":
		s.RequireAuth = true
	case "plaintext-auth":
		s.PlaintextAuth = true
	case "offer":
		s.Offer, err = extensions(value)
	case "withhold":
		s.Withhold, err = extensions(value)
	case "xclient":
		s.XClientFrom = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	case "proxy":
		s.ProxyFrom = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	case "greet-delay":
		s.GreetDelay = long
	case "early-talkers":
		s.EarlyTalkers = true
	case "by-min":
		s.DeliverByMin = long
	case "size":
		s.Limits.MessageSize = int64(number)
	case "line":
		s.Limits.TextLine = number
	case "messages":
		s.Limits.Messages = number
	case "errors":
		s.Limits.Errors = number
	case "discard":
		s.Limits.Discard = int64(number)
	case "idle":
		s.Limits.Idle = long
	case "data-idle":
		s.Limits.DataIdle = long
	case "session":
		s.Limits.Session = long
	default:
		err = fmt.Errorf("unknown setting")
	}
	return err
}

func extensions(names string) (set smtp.ExtensionSet, err error) {
	for name := range strings.SplitSeq(names, ",") {
		x := smtp.ParseExtensions(&smtp.Reply{Text: "\n" + name})
		if x.Set == 0 {
			return 0, fmt.Errorf("%s is no extension", name)
		}
		set |= x.Set
	}
	return set, nil
}

// TestTheRelayDialogueArrives: what is handed over in the dialogue of the
// requirement is what the Handler gets, dots undoubled.
func TestTheRelayDialogueArrives(t *testing.T) {
	s, err := transcript.ReadFile("../testdata/dialogues/01-sohu-to-sina.txt")
	if err != nil {
		t.Fatal(err)
	}
	inWorld(t, &smtpserver.Server{}, func(w *world) {
		if err := s.Ask(w.dial(stranger), nil); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		got := w.house.taken()
		if len(got) != 1 {
			t.Fatalf("%d messages", len(got))
		}
		l := got[0]
		if l.from.String() != "bob@sohu.com" || len(l.to) != 1 || l.to[0].String() != "alice@sina.com" || l.protocol != "SMTP" {
			t.Errorf("from %s to %v with %s", l.from, l.to, l.protocol)
		}
		if !bytes.HasSuffix(l.text, []byte("Subject: Hello\r\n\r\nHello, Alice.\r\n.and this line began with a dot.\r\n")) {
			t.Errorf("text %q", l.text)
		}
	})
}
