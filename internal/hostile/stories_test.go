package hostile

import (
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/posthouse/posthouse/internal/transcript"
)

var update = flag.Bool("update", false, "write anew what was told, got and run in each story")

// TestStories plays the stories of testdata. A story is these parts, played in their
// order:
//
//	zone                what the DNS says; see simnet.Zone
//	file NAME           a file in the directory of the houses
//	link NAME           a symbolic link there, to where the part says
//	house NAME ADDR     a configuration, with DIR for that directory; the house begins
//	gullible ADDR       a server that takes any line end for one; see gullible
//	peer ADDR           a dialogue with each that comes to a server there; "----" is between
//	                    the dialogues of one and of the next, and the last stays
//	ask ADDR [FROM]     a dialogue with who listens there
//	letter ADDR [FROM]  a message that is brought there; see letter
//	heard               what those who brought letters were told at the end
//	wait DURATION
//	told                what the houses have told since the last such part
//	count WORD...       how many lines that have all the words were told so far
//	asked TYPE          how many different questions of a type the DNS has heard
//	mail NAME           what is in the Maildirs of a house
//	got ADDR            what a gullible server has heard
//	ran                 what programs have run, with their arguments
//	tree                all files in the directory of the houses
//
// In a dialogue ${5*ab} is "ababababab", a line "* 100 C: RCPT TO:<u%d@a.example>" is a hundred
// lines, from 0, and CHUNK "text" (or LAST "text") is BDAT with the count of that text, and it.
// DRIP 1s "text" says the text an octet a second, until nobody listens.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		class, name := filepath.Base(filepath.Dir(file)), strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(class+"/"+name, func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	was := string(txtar.Format(a))
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir)
		defer w.end()
		for i := range a.Files {
			part := &a.Files[i]
			word, arg, _ := strings.Cut(part.Name, " ")
			if out, said := w.play(word, arg, string(part.Data)); said {
				part.Data = []byte(out)
			}
		}
	})
	is := string(txtar.Format(a))
	switch {
	case is == was:
	case *update:
		if err := os.WriteFile(file, []byte(is), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Error(cmp.Diff(strings.Split(was, "\n"), strings.Split(is, "\n")))
	}
}

// play plays a part. If it is one that tells something, that is returned.
func (w *world) play(word, arg, text string) (out string, said bool) {
	w.Helper()
	first, second, _ := strings.Cut(arg, " ")
	switch word {
	case "zone":
		w.must(w.zone.Add(spell(text)))
	case "file":
		w.write(arg, text)
	case "link":
		w.link(arg, text)
	case "house":
		w.house(first, second, text)
	case "gullible":
		w.gullible(arg, text)
	case "peer":
		w.peer(arg, text)
	case "ask":
		w.ask(first, second, text)
	case "letter":
		w.bring(first, second, text)
		synctest.Wait()
	case "heard":
		return w.replies(), true
	case "wait":
		time.Sleep(w.duration(arg))
		synctest.Wait()
	case "told":
		return w.tell(), true
	case "mail":
		return w.mail(arg), true
	case "got":
		return w.clean(w.servers[arg].heard()), true
	case "count":
		return fmt.Sprintln(w.count(strings.Fields(arg))), true
	case "asked":
		return fmt.Sprintln(w.questions(arg)), true
	case "ran":
		return w.commands(), true
	case "tree":
		return w.tree(), true
	default:
		w.Fatalf("%q is no part of a story", word)
	}
	return "", false
}

// ask plays a dialogue with who listens at an address.
func (w *world) ask(to, from, text string) {
	w.Helper()
	conn := w.dial(from, to)
	defer conn.Close()
	for i, part := range strings.Split(spell(text), "DRIP ") {
		if i > 0 {
			var line string
			line, part, _ = strings.Cut(part, "\n")
			pause, octets, _ := strings.Cut(line, " ")
			octets, err := strconv.Unquote(octets)
			w.must(err)
			drip(conn, w.duration(pause), octets)
		}
		script, err := transcript.Parse("dialogue", part)
		w.must(err)
		if err := script.Ask(lasting{conn}, trusting()); err != nil {
			w.Error(err)
		}
	}
	_ = conn.Close()
	synctest.Wait()
}

// lasting is a connection that outlives a part of a dialogue.
type lasting struct{ net.Conn }

func (lasting) Close() error { return nil }

// drip says something an octet at a time, as long as somebody listens.
func drip(w io.Writer, pause time.Duration, text string) {
	for i := range len(text) {
		if _, err := io.WriteString(w, text[i:i+1]); err != nil {
			return
		}
		time.Sleep(pause)
	}
}

func (w *world) duration(s string) time.Duration {
	w.Helper()
	d, err := time.ParseDuration(s)
	w.must(err)
	return d
}
