package smtp

import (
	"strings"
	"testing"
)

// dialogueWords are the commands that the words of dialogue.txt stand for.
var dialogueWords = map[string]Command{
	"EHLO": Hello{VerbEHLO, "a.example"},
	"HELO": Hello{VerbHELO, "a.example"},
	"LHLO": Hello{VerbLHLO, "a.example"},
	"MAIL": Mail{}, "BINARY": Mail{Params: MailParams{Body: BodyBinary}}, "UTF8": Mail{Params: MailParams{UTF8: true}},
	"RCPT": Rcpt{To: Postmaster}, "RCPTÉ": Rcpt{To: Path{"é", "b.example"}},
	"DATA": Data{}, "BDAT": Bdat{Size: 1}, "LAST": Bdat{Size: 1, Last: true},
	"RSET": Rset{}, "NOOP": Noop{}, "QUIT": Quit{}, "VRFY": Vrfy{}, "EXPN": Expn{}, "HELP": Help{},
	"STARTTLS": StartTLS{}, "AUTH": Auth{}, "ETRN": Etrn{}, "XCLIENT": XClient{}, "UNKNOWN": Unknown{},
}

// TestOrderOfCommands plays each history of dialogue.txt and asks for every word
// what Permit says of it then.
func TestOrderOfCommands(t *testing.T) {
	archive(t, "dialogue.txt", func(history, data string) {
		d := Dialogue{}
		for _, word := range strings.Fields(history) {
			play(t, &d, word)
		}
		asked := map[string]bool{}
		for line := range strings.Lines(data) {
			f := strings.Fields(line)
			if len(f) == 0 || f[0] == "#" {
				continue
			}
			for _, word := range f[1:] {
				c, known := dialogueWords[word]
				if !known || asked[word] {
					t.Fatalf("%s: the word %s is unknown or there twice", history, word)
				}
				asked[word] = true
				checkPermit(t, history, word, d.Permit(c), c, f[0])
			}
		}
		for word := range dialogueWords {
			if !asked[word] {
				t.Errorf("%s: nothing is said of %s", history, word)
			}
		}
	})
}

func play(t *testing.T, d *Dialogue, word string) {
	t.Helper()
	switch word {
	case "(start)":
	case "(lmtp)":
		d.LMTP = true
	case "(refused)":
		d.Tried()
	default:
		c, ok := dialogueWords[word]
		if !ok {
			t.Fatalf("unknown word %s", word)
		}
		if r := d.Permit(c); r != nil {
			t.Fatalf("%s is not permitted in the history: %v", word, r)
		}
		d.Done(c)
	}
}

func checkPermit(t *testing.T, history, word string, r *Reply, c Command, want string) {
	t.Helper()
	got := "ok"
	if r != nil {
		got = r.Code.String()
		if !c.Verb().Permits(r.Code) || r.Enhanced.IsZero() || r.Text == "" {
			t.Errorf("%s, then %s: %v is no answer to it", history, word, r)
		}
	}
	if got != want {
		t.Errorf("%s, then %s: %s, want %s", history, word, got, want)
	}
}

func TestWhatADialogueKnows(t *testing.T) {
	var d Dialogue
	for _, word := range strings.Fields("EHLO AUTH MAIL RCPT RCPT BDAT") {
		play(t, &d, word)
	}
	if d.Hello() != VerbEHLO || !d.Authenticated() || d.TLS() || !d.InTransaction() || d.Recipients() != 2 || !d.Chunking() {
		t.Errorf("%+v", d)
	}
	play(t, &d, "LAST")
	if d.InTransaction() || d.Recipients() != 0 || d.Chunking() || !d.Authenticated() {
		t.Errorf("after LAST: %+v", d)
	}
	play(t, &d, "STARTTLS")
	if d != (Dialogue{tls: true}) || !d.TLS() {
		t.Errorf("STARTTLS forgets all that was said: %+v", d)
	}
	play(t, &d, "EHLO")
	play(t, &d, "XCLIENT")
	if d != (Dialogue{tls: true}) {
		t.Errorf("XCLIENT starts the session over: %+v", d)
	}
}
