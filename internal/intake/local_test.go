package intake_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/maildrop"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// TestLocal speaks over a real socket, since the system says who is there: a program
// may write to anybody, policy is not asked, and the login stands in the envelope.
func TestLocal(t *testing.T) {
	engine := memspool.New(memspool.Options{Random: &counter{}})
	desk := intake.New(intake.Options{Hostname: "mx.sohu.example", Spool: engine, Directory: people{}, Policy: asked(check{spool: engine})})
	server := &smtpserver.Server{Handler: desk.Local(), Hostname: "mx.sohu.example", Offer: intake.Offers}
	socket := filepath.Join(t.TempDir(), "submit.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(intake.Peers(l)) }()
	script, err := transcript.Parse("local", `
S: 220
C: EHLO localhost
S~ 250
C: VRFY ann
S: 250
C: EXPN sales
S~ 250
C: MAIL FROM:<spammer@sina.example>
S: 250
C: RCPT TO:<carl@sina.example>
S: 250
C: RCPT TO:<zoe@sohu.example>
S: 550
C: DATA
S: 354
C: Subject: hello
C: .
S: 250
C: QUIT
S: 221
`)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if err := script.Ask(conn, nil); err != nil {
		t.Error(err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, smtpserver.ErrServerClosed) {
		t.Error(err)
	}
	page, err := engine.List(t.Context(), spool.Query{})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d recipients are kept, %v", len(page.Items), err)
	}
	e := page.Items[0].Envelope
	if want := maildrop.Login(uint32(os.Getuid())); e.Source.Login != want || e.Source.Listener != intake.FromSendmail || e.To[0].To != address("carl@sina.example") {
		t.Errorf("the envelope is %+v, want the login %s", e, want)
	}
}

// TestLocalIsForKnownPeers: a connection of which nobody knows whose it is gets no
// further, whichever way it came to the handler.
func TestLocalIsForKnownPeers(t *testing.T) {
	desk := intake.New(intake.Options{Hostname: "mx.sohu.example", Spool: memspool.New(memspool.Options{Random: &counter{}})})
	server := &smtpserver.Server{Handler: desk.Local(), Hostname: "mx.sohu.example"}
	ours, theirs := transcript.Pipe(1 << 16)
	go func() { _ = server.ServeConn(theirs) }()
	reply := make([]byte, 100)
	n, err := ours.Read(reply)
	if err != nil || !strings.HasPrefix(string(reply[:n]), "421") && !strings.HasPrefix(string(reply[:n]), "554") {
		t.Errorf("a stranger is told %q, %v", reply[:n], err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
}
