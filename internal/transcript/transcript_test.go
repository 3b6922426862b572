package transcript_test

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/posthouse/posthouse/internal/transcript"
)

// TestDialoguesAgreeWithThemselves plays every dialogue of package smtp on both
// sides at once: a file that hangs or contradicts itself is found here.
func TestDialoguesAgreeWithThemselves(t *testing.T) {
	files, err := filepath.Glob("../../smtp/testdata/dialogues/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			s, err := transcript.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if s.UsesTLS() {
				t.Skip("needs certificates; both ends play it")
			}
			if c, s := play(t, s, s); c != nil || s != nil {
				t.Errorf("client: %v\nserver: %v", c, s)
			}
		})
	}
}

func play(t *testing.T, client, server *transcript.Script) (clientErr, serverErr error) {
	synctest.Test(t, func(*testing.T) {
		a, b := transcript.Pipe(64 << 10)
		done := make(chan error)
		go func() { done <- server.Serve(b, nil) }()
		clientErr = client.Ask(a, nil)
		serverErr = <-done
	})
	return clientErr, serverErr
}

func parse(t *testing.T, text string) *transcript.Script {
	t.Helper()
	s, err := transcript.Parse("test", text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestDifferences: what one side says and the other does not expect is an
// error at that line; what may differ is none.
func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		name, client, server string
		clientErr, serverErr string // part of the error; "": none
	}{
		{"same", "C: HELO a\nS: 250 x", "C: HELO a\nS: 250 y", "", ""},
		{"text compared", "S= 220 x", "S: 220 y", `test:1: want "220 x", got "220 y"`, ""},
		{"code", "S: 220 x", "S: 221 x", `want "220 x", got "221 x"`, ""},
		{"structure", "S: 250-x\nS: 250 y", "S: 250 x", `want "250-x", got "250 x"`, ""},
		{"any lines", "S~ 250-x\nS~ 250 y\nC: QUIT", "S: 250-x\nS: 250-y\nS: 250 z\nC: QUIT", "", ""},
		{"any lines, other code", "S~ 250 y", "S: 500 z", `want "250 y", got "500 z"`, ""},
		{"client differs", "C: HELO a", "C: HELO b", "", `want "HELO b\r\n", got "HELO a\r\n"`},
		{"octets", `C> "a\rb"`, `C> "a\rc"`, "", `want "a\rc", got "a\rb"`},
		{"closed early", "C: HELO a", "C: HELO a\nC: QUIT", "", `want "QUIT\r\n", got "" and then EOF`},
		{"close expected", "C! close", "C! close", "", ""},
		{"no close", "C: NOOP", "C! close", "", `want the connection closed, got "NOOP\r\n"`},
		{"pipelined", "C: A\nC: B\nS: 250\nS: 250", "C: A\nS: 250\nC: B\nS: 250", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			ce, se := play(t, parse(t, c.client), parse(t, c.server))
			for _, x := range []struct {
				who  string
				got  error
				want string
			}{{"client", ce, c.clientErr}, {"server", se, c.serverErr}} {
				if (x.got == nil) != (x.want == "") || x.got != nil && !strings.Contains(x.got.Error(), x.want) {
					t.Errorf("%s: error %v, want %q", x.who, x.got, x.want)
				}
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	for _, text := range []string{"X: a", "S", "C= a", "S? a", "C! open", "C> a"} {
		if _, err := transcript.Parse("f", "# one\n"+text); err == nil || !strings.HasPrefix(err.Error(), "f:2: ") {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
