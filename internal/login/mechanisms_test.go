package login_test

import (
	"crypto/tls"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"github.com/posthouse/posthouse/internal/login"
	"github.com/posthouse/posthouse/internal/spool/memspool"
)

var client = netip.MustParseAddr("192.0.2.1")

// TestWhatIsOffered: to whom, and under which TLS.
func TestWhatIsOffered(t *testing.T) {
	modern, _ := connected(t, tls.VersionTLS13, nil)
	older, _ := connected(t, tls.VersionTLS12, nil)
	shown, _ := connected(t, tls.VersionTLS13, person(t, "", "jane@example.org"))
	nameless, _ := connected(t, tls.VersionTLS13, person(t, ""))
	p := newPeople()
	for _, x := range []struct {
		name string
		door *login.Door
		tls  *tls.ConnectionState
		want string
	}{
		{"without TLS", login.New(login.Options{Accounts: finders{p}}), nil, ""},
		{"TLS 1.3", login.New(login.Options{Accounts: finders{p}}), modern, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"},
		{"TLS 1.2", login.New(login.Options{Accounts: finders{p}}), older, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"},
		{"a certificate", login.New(login.Options{Accounts: finders{p}}), shown, "EXTERNAL SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"},
		{"a certificate of nobody", login.New(login.Options{Accounts: finders{p}}), nameless, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"},
		{"passwords are only checked", login.New(login.Options{Accounts: p}), shown, "PLAIN LOGIN"},
	} {
		t.Run(x.name, func(t *testing.T) {
			v := login.Visitor{Client: client, TLS: x.tls}
			got := x.door.Mechanisms(&v)
			if s := strings.Join(got, " "); s != x.want {
				t.Errorf("offered %q, want %q", s, x.want)
			}
			for _, m := range []string{"EXTERNAL", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "PLAIN", "LOGIN", "CRAM-MD5", "CRAM-SHA1", ""} {
				if slices.Contains(x.door.Mechanisms(&v), m) {
					continue
				}
				e := x.door.Begin(t.Context(), m, v)
				_, done, err := e.Next([]byte("\x00joe\x00tiger-canary"))
				if got := told(t, e, done, err); got != "535 the mechanism is not offered" {
					t.Errorf("%s: %s", m, got)
				}
			}
		})
	}
}

// TestExchanges plays what clients say: each step is a response, "-" is that there is
// none; and the challenges between them.
func TestExchanges(t *testing.T) {
	shown, _ := connected(t, tls.VersionTLS13, person(t, "joe", "other@example.org", "Jane@example.org"))
	named, _ := connected(t, tls.VersionTLS13, person(t, "joe"))
	stranger, _ := connected(t, tls.VersionTLS13, person(t, "nobody"))
	for _, x := range []struct {
		name, mechanism string
		tls             *tls.ConnectionState
		say             []string
		want            string // challenges, and how it ended
	}{
		{"at once", "PLAIN", shown, []string{"\x00joe\x00tiger-canary"}, "in"},
		{"asked first", "PLAIN", shown, []string{"-", "\x00joe\x00tiger-canary"}, ", in"},
		{"as oneself", "PLAIN", shown, []string{"Joe\x00joe\x00tiger-canary"}, "in"},
		{"as another", "PLAIN", shown, []string{"jane@example.org\x00joe\x00tiger-canary"}, "535 nobody acts for another here"},
		{"wrong", "PLAIN", shown, []string{"\x00joe\x00lion-canary"}, wrong},
		{"nobody", "PLAIN", shown, []string{"\x00lion-canary\x00lion-canary"}, wrong},
		{"no password", "PLAIN", shown, []string{"\x00joe\x00"}, wrong},
		{"no name", "PLAIN", shown, []string{"\x00\x00lion-canary"}, "535 the name is empty or too long"},
		{"a long name", "PLAIN", shown, []string{"\x00" + strings.Repeat("x", 256) + "\x00lion-canary"}, "535 the name is empty or too long"},
		{"no NUL", "PLAIN", shown, []string{"joe tiger-canary"}, "535 the exchange is malformed"},
		{"empty", "PLAIN", shown, []string{""}, "535 the exchange is malformed"},
		{"too many NULs", "PLAIN", shown, []string{"\x00joe\x00tiger-canary\x00"}, "535 the exchange is malformed"},

		{"asked twice", "LOGIN", shown, []string{"-", "joe", "tiger-canary"}, "Username:, Password:, in"},
		{"the name came along", "LOGIN", shown, []string{"joe", "tiger-canary"}, "Password:, in"},
		{"wrong", "LOGIN", shown, []string{"joe", "lion-canary"}, "Password:, " + wrong},
		{"nothing", "LOGIN", shown, []string{"", ""}, "Password:, 535 the name is empty or too long"},

		{"an address", "EXTERNAL", shown, []string{""}, "in"},
		{"asked first", "EXTERNAL", shown, []string{"-", ""}, ", in"},
		{"who it is", "EXTERNAL", shown, []string{"jane@example.org"}, "in"},
		{"another", "EXTERNAL", shown, []string{"joe"}, "535 the certificate is nobody's here, or of another"},
		{"a common name", "EXTERNAL", named, []string{""}, "in"},
		{"nobody", "EXTERNAL", stranger, []string{""}, "535 the certificate is nobody's here, or of another"},
		{"a NUL", "EXTERNAL", shown, []string{"joe\x00"}, "535 the exchange is malformed"},

		{"malformed", "SCRAM-SHA-256", shown, []string{"lion-canary"}, "535 the first message of SCRAM is malformed, or its channel binding is not ours"},
		{"empty", "SCRAM-SHA-256", shown, []string{"-", ""}, ", 535 the first message of SCRAM is malformed, or its channel binding is not ours"},
		{"bound without its name", "SCRAM-SHA-256", shown, []string{"p=tls-exporter,,n=joe,r=x"}, "535 the channel binding is not what the mechanism says"},
		{"not bound", "SCRAM-SHA-256-PLUS", shown, []string{"n,,n=joe,r=x"}, "535 the channel binding is not what the mechanism says"},
		{"bound to something else", "SCRAM-SHA-256-PLUS", shown, []string{"p=tls-server-end-point,,n=joe,r=x"}, "535 the first message of SCRAM is malformed, or its channel binding is not ours"},
		{"somebody took -PLUS off the list", "SCRAM-SHA-256", shown, []string{"y,,n=joe,r=x"}, "535 the first message of SCRAM is malformed, or its channel binding is not ours"},
		{"as another", "SCRAM-SHA-256", shown, []string{"n,a=jane,n=joe,r=x"}, "535 nobody acts for another here"},
		{"no name", "SCRAM-SHA-256", shown, []string{"n,,n=,r=x"}, "535 the name is empty or too long"},

		{"unasked", "CRAM-MD5", shown, []string{"joe 00000000000000000000000000000000"}, "535 the mechanism is not offered"},
	} {
		t.Run(x.mechanism+" "+x.name, func(t *testing.T) {
			d := login.New(login.Options{Accounts: finders{newPeople()}})
			e := d.Begin(t.Context(), x.mechanism, login.Visitor{Client: client, TLS: x.tls})
			var got []string
			for i, said := range x.say {
				response := []byte(said)
				if said == "-" {
					response = nil
				}
				challenge, done, err := e.Next(response)
				if last := i == len(x.say)-1; !last && err == nil && !done {
					got = append(got, string(challenge))
					continue
				}
				got = append(got, told(t, e, done, err))
				break
			}
			if s := strings.Join(got, ", "); s != x.want {
				t.Errorf("got %q, want %q", s, x.want)
			}
		})
	}
}

// speak goes through SCRAM as a client does.
func speak(t *testing.T, d *login.Door, mechanism string, state *tls.ConnectionState, talk *scram.ClientConversation) string {
	t.Helper()
	e := d.Begin(t.Context(), mechanism, login.Visitor{Client: client, TLS: state})
	said, err := talk.Step("")
	for range 3 {
		if err != nil {
			t.Fatal(err)
		}
		challenge, done, failed := e.Next([]byte(said))
		if failed != nil || done {
			if done {
				if _, err := talk.Step(string(challenge)); err != nil || !talk.Valid() {
					t.Errorf("the server has not proved itself: %v", err)
				}
			}
			return told(t, e, done, failed)
		}
		said, err = talk.Step(string(challenge))
	}
	t.Fatal("there is no end")
	return ""
}

func conversation(t *testing.T, name, password string) *scram.Client {
	t.Helper()
	c, err := scram.SHA256.NewClient(name, password, "")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSCRAM(t *testing.T) {
	server, visitor := connected(t, tls.VersionTLS13, nil)
	other, _ := connected(t, tls.VersionTLS13, nil)
	bound, err := scram.NewTLSExporterBinding(visitor)
	if err != nil {
		t.Fatal(err)
	}
	d := login.New(login.Options{Accounts: finders{newPeople()}})
	for _, x := range []struct{ name, password, want string }{
		{"joe", "tiger-canary", "in"}, {"Joe", "tiger-canary", "in"}, {"joe", "lion-canary", wrong}, {"nobody", "lion-canary", wrong},
	} {
		if got := speak(t, d, "SCRAM-SHA-256", server, conversation(t, x.name, x.password).NewConversation()); got != x.want {
			t.Errorf("%s: %s", x.name, got)
		}
		if got := speak(t, d, "SCRAM-SHA-256-PLUS", server, conversation(t, x.name, x.password).NewConversationWithChannelBinding(bound)); got != x.want {
			t.Errorf("%s, bound: %s", x.name, got)
		}
	}
	older, olderVisitor := connected(t, tls.VersionTLS12, nil)
	unique := scram.NewTLSUniqueBinding(olderVisitor.TLSUnique)
	if got := speak(t, d, "SCRAM-SHA-256-PLUS", older, conversation(t, "joe", "tiger-canary").NewConversationWithChannelBinding(unique)); got != "in" {
		t.Errorf("with TLS 1.2: %s", got)
	}
	// Somebody in between has another connection with the client than with us.
	if got := speak(t, d, "SCRAM-SHA-256-PLUS", other, conversation(t, "joe", "tiger-canary").NewConversationWithChannelBinding(bound)); got != wrong {
		t.Errorf("from somebody in between: %s", got)
	}
	for range 20 {
		speak(t, d, "SCRAM-SHA-256", server, conversation(t, "joe", "lion-canary").NewConversation())
	}
	if got := speak(t, d, "SCRAM-SHA-256", server, conversation(t, "joe", "tiger-canary").NewConversation()); got != tooMany {
		t.Errorf("after too many failures: %s", got)
	}
}

// TestNobodyLooksLikeSomebody: the first challenge for a name that nobody has is that of
// an account, and the same tomorrow.
func TestNobodyLooksLikeSomebody(t *testing.T) {
	memory := memspool.New(memspool.Options{})
	defer memory.Close()
	factors := func(name string) string {
		d := login.New(login.Options{Accounts: finders{newPeople()}, Memory: memory})
		e := d.Begin(t.Context(), "SCRAM-SHA-256", login.Visitor{Client: client, TLS: secure})
		challenge, _, err := e.Next([]byte("n,,n=" + name + ",r=x"))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(challenge), ",")
		return rest
	}
	first := factors("nobody")
	if again := factors("NoBody"); again != first {
		t.Errorf("first %s, then %s", first, again)
	}
	if factors("another") == first {
		t.Error("all decoys are the same")
	}
	if len(first) != len("s=,i=100000")+24 {
		t.Errorf("a decoy is %s", first)
	}
}
