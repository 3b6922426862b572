package talk

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
)

// play has a session with a server, by script or as a person. It returns what was printed and the error of the session.
func play(t *testing.T, interactive bool, server func(net.Conn), script ...string) (string, error) {
	t.Helper()
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		server(theirs)
	}()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var in io.Reader = strings.NewReader(strings.Join(script, "\n"))
	if interactive { // a person stays
		silent, gone := io.Pipe()
		defer gone.Close()
		in = io.MultiReader(typed(script), silent)
	}
	var out bytes.Buffer
	p := &peer{conn: ours, begun: time.Now(), timeout: 30 * time.Second}
	p.listen()
	s := &session{
		options:     &options{timeout: 30 * time.Second},
		peer:        p,
		config:      &tls.Config{ServerName: "mail.example"},
		out:         &cli.Dialogue{Out: &out, Begun: p.begun},
		interactive: interactive,
	}
	err := s.run(readLines(ctx, in))
	p.close()
	return out.String(), err
}

// thinks, in the script of a person, is a second without a word.
const thinks = "..."

// typed reads lines as a person types them.
func typed(script []string) io.Reader {
	var all []io.Reader
	for _, line := range script {
		if line == thinks {
			all = append(all, second{})
		} else {
			all = append(all, strings.NewReader(line+"\n"))
		}
	}
	return io.MultiReader(all...)
}

type second struct{}

func (second) Read([]byte) (int, error) {
	time.Sleep(time.Second)
	return 0, io.EOF
}

func write(c net.Conn, lines string) { _, _ = c.Write([]byte(lines)) }

func TestTheOtherSideSpeaksWhileAPersonThinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := play(t, true, func(c net.Conn) {
			write(c, "220 hello\r\n")
			time.Sleep(5 * time.Minute)
			write(c, "421 hello you were silent\r\n")
		})
		want := `   0.000 < 220 hello
 300.000 < 421 hello you were silent
 300.000 * the other side closed the connection (EOF)
`
		if got != want || err != nil {
			t.Errorf("the session was\n%s%v; want\n%s", got, err, want)
		}
	})
}

func TestAPersonMayGoOnAfterAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := play(t, true, func(c net.Conn) {
			write(c, "220 hello\r\n")
			_, _ = c.Read(make([]byte, 100))
			write(c, "221 bye\r\n")
		}, "/nonsense", "QUIT") // which the terminal has shown
		want := `   0.000 < 220 hello
   0.000 * /nonsense is no command of talk (/help lists them; to send it, write //nonsense)
   0.000 < 221 bye
`
		if got != want || err != nil {
			t.Errorf("the session was\n%s%v; want\n%s", got, err, want)
		}
	})
}

// What a person saw come by itself need not come again: neither for /wait, nor
// for the text that a 354 asks for.
func TestAPersonPipelines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := play(t, true, func(c net.Conn) {
			write(c, "220 hello\r\n")
			_, _ = c.Read(make([]byte, 100))
			write(c, "250 sender\r\n250 recipient\r\n354 go on\r\n")
			_, _ = c.Read(make([]byte, 100))
			_, _ = c.Read(make([]byte, 100))
			write(c, "250 kept\r\n")
			_, _ = c.Read(make([]byte, 100))
			write(c, "221 bye\r\n")
		}, `/raw MAIL\r\n`, thinks, "/wait 3", "a text", ".", "QUIT")
		want := `   0.000 < 220 hello
   0.000 > MAIL\r\n
   0.000 < 250 sender
   0.000 < 250 recipient
   0.000 < 354 go on
   1.000 < 250 kept
   1.000 < 221 bye
`
		if got != want || err != nil {
			t.Errorf("the session was\n%s%v; want\n%s", got, err, want)
		}
	})
}

// A server that speaks in the middle of a text has not ended it.
func TestTheOtherSideInterruptsAText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := play(t, true, func(c net.Conn) {
			write(c, "220 hello\r\n")
			_, _ = c.Read(make([]byte, 100))
			write(c, "354 go on\r\n")
			_, _ = c.Read(make([]byte, 100))
			write(c, "250 by the way\r\n")
			_, _ = c.Read(make([]byte, 100))
			_, _ = c.Read(make([]byte, 100))
			write(c, "250 kept\r\n")
			_, _ = c.Read(make([]byte, 100))
			write(c, "221 bye\r\n")
		}, "DATA", "one", thinks, "two", ".", "QUIT")
		want := `   0.000 < 220 hello
   0.000 < 354 go on
   0.000 * now the text; a line with a single dot ends it
   0.000 < 250 by the way
   1.000 < 250 kept
   1.000 < 221 bye
`
		if got != want || err != nil {
			t.Errorf("the session was\n%s%v; want\n%s", got, err, want)
		}
	})
}

func TestNoReplyInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		got, err := play(t, false, func(c net.Conn) {
			write(c, "220-hello\r\n")
			<-stop
		})
		close(stop)
		if status, _ := cli.StatusOf(err); status != cli.TempFail || !strings.Contains(err.Error(), "no reply in time") {
			t.Errorf("a silent server: %v, status %d", err, status)
		}
		if got != "   0.000 < 220-hello\n" {
			t.Errorf("printed was %q", got)
		}
	})
}

// Nothing that the other side says can move the cursor of a terminal or look
// like a line of ours.
func TestHostileLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := play(t, false, func(c net.Conn) {
			write(c, "220-\x1b[2J\r\nnonsense\r\n220 a\rb\n")
			_, _ = c.Read(make([]byte, 100))
			write(c, "221 bye")
		})
		want := `   0.000 < 220-\x1b[2J
   0.000 < nonsense
   0.000 * that is no line of a reply
   0.000 < 220 a\rb\n
   0.000 > QUIT
   0.000 < 221 bye\
`
		if got != want || err != nil {
			t.Errorf("the session was\n%s%v; want\n%s", got, err, want)
		}
	})
}

func TestLongLineComesInPieces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, _ := play(t, false, func(c net.Conn) {
			write(c, "220 "+strings.Repeat("x", 3*maxLine)+"\r\n")
			_, _ = c.Read(make([]byte, 100))
		})
		for line := range strings.Lines(got) {
			if len(line) > maxLine+20 {
				t.Errorf("a line of %d octets was printed", len(line))
			}
		}
		if n := strings.Count(got, "x"); n < maxLine-4 {
			t.Errorf("%d octets of the line were printed", n)
		}
	})
}

// What came in the clear behind the reply to STARTTLS may be anybody's (RFC 3207,
// 6): it is shown for what it is, and answers nothing.
func TestInjectedBeforeTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got, err := play(t, false, func(c net.Conn) {
			write(c, "220 hello\r\n")
			_, _ = c.Read(make([]byte, 100))
			write(c, "220 go\r\n250 injected\r\n")
			_, _ = c.Read(make([]byte, 1000)) // the ClientHello
		}, "/starttls")
		want := `   0.000 < 220 hello
   0.000 > STARTTLS
   0.000 < 220 go
   0.000 * came in the clear before TLS and is ignored: 250 injected\r\n
`
		if got != want {
			t.Errorf("the session was\n%s; want\n%s", got, want)
		}
		if status, _ := cli.StatusOf(err); status != cli.Unavailable {
			t.Errorf("TLS that fails: %v, status %d", err, status)
		}
	})
}
