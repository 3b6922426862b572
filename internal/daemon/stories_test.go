package daemon_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/internal/transport/pipe"
)

var update = flag.Bool("update", false, "write anew what was told in each story")

// TestStories plays the stories of testdata: houses in a world of their own. A file
// is these parts, played in their order:
//
//	zone             what the DNS says
//	house NAME       a configuration, with DIR for a directory of its own; the house begins. Its
//	                 address is that of its first listener
//	file NAME        a file in the directory of the house that comes next, or was last
//	ask ADDR [FROM]  a dialogue with who listens there, from an address
//	call NAME ADDR   the same, and the caller stays on the line
//	more NAME        what such a caller says then
//	wait DURATION
//	reload NAME      another configuration for a house
//	fill NAME        there is no room for more mail; "room NAME": there is again
//	fail NAME        the disk of a house fails
//	stop NAME        a house is to end
//	end NAME         it is waited for; what it ends with is told here
//	told             what the houses told since the last such part
//	mail NAME        what is in the Maildirs of a house
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no stories", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			was := string(txtar.Format(a))
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) { playStory(t, dir, a) })
			is := string(txtar.Format(a))
			switch {
			case *update:
				if err := os.WriteFile(file, []byte(is), 0o644); err != nil {
					t.Fatal(err)
				}
			case is != was:
				t.Error(gocmp.Diff(strings.Split(was, "\n"), strings.Split(is, "\n")))
			}
		})
	}
}

// story is one that is being played.
type story struct {
	t      *testing.T
	dir    string
	net    *network
	zone   *dnstest.Zone
	houses map[string]*house
	calls  map[string]net.Conn

	mu   sync.Mutex
	told []told
}

// told is a line that a house told.
type told struct {
	at          time.Time
	house, line string
}

type house struct {
	name string
	*daemon.House
	spool *memspool.Spool
	stop  context.CancelFunc
	ended chan error
}

func playStory(t *testing.T, dir string, a *txtar.Archive) {
	s := &story{t: t, dir: dir, net: newNetwork(), zone: dnstest.New(t, ""), houses: map[string]*house{}, calls: map[string]net.Conn{}}
	for i := range a.Files {
		part := &a.Files[i]
		word, arg, _ := strings.Cut(part.Name, " ")
		if out, ok := s.play(word, arg, string(part.Data)); ok {
			part.Data = []byte(out)
		}
	}
	for _, h := range s.houses {
		h.stop()
		<-h.ended
	}
	for _, conn := range s.calls {
		conn.Close()
	}
}

// play plays a part, and returns what it should say, if that is known now.
func (s *story) play(word, arg, text string) (out string, ok bool) {
	switch word {
	case "zone":
		s.zone = dnstest.New(s.t, text)
	case "file":
		name := filepath.Join(s.dir, arg)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(strings.ReplaceAll(text, "DIR", s.dir)), 0o644)); err != nil {
			s.t.Fatal(err)
		}
	case "house":
		return s.begin(arg, text)
	case "ask":
		s.ask(arg, text)
		synctest.Wait()
	case "call":
		name, to, _ := strings.Cut(arg, " ")
		s.calls[name] = s.dial(to)
		s.say(name, text)
	case "more":
		s.say(arg, text)
	case "wait":
		d, err := time.ParseDuration(arg)
		if err != nil {
			s.t.Fatal(err)
		}
		time.Sleep(d)
		synctest.Wait()
	case "reload":
		return s.reload(arg, text)
	case "fill":
		s.houses[arg].spool.SetCapacity(1)
	case "room":
		s.houses[arg].spool.SetCapacity(0)
	case "fail":
		s.houses[arg].spool.Fail(errors.New("input/output error"))
	case "stop":
		s.houses[arg].stop()
		synctest.Wait()
	case "end":
		return s.end(arg), true
	case "told":
		time.Sleep(10 * time.Millisecond) // what was done is recorded by now
		synctest.Wait()
		return s.tell(), true
	case "mail":
		return s.mail(arg), true
	default:
		s.t.Fatalf("%q is no part of a story", word)
	}
	return "", false
}

// parse reads the configuration of a house, whose first line may not be "wrong:".
func (s *story) parse(name, text string) (*config.Config, error) {
	text = strings.ReplaceAll(text, "DIR", s.dir)
	return config.Parse(name+".hcl", []byte(text), config.Options{})
}

// begin begins a house. If it cannot, that is told behind its configuration.
func (s *story) begin(name, text string) (string, bool) {
	text, _, _ = strings.Cut(text, "\n! ")
	h := &house{name: name, ended: make(chan error, 1), spool: memspool.New(memspool.Options{Random: newChance(1)})}
	c, err := s.parse(name, text)
	if err == nil {
		h.House, err = daemon.New(s.t.Context(), c, s.world(h, c))
	}
	if err != nil {
		return strings.TrimSuffix(text, "\n") + "\n! " + s.clean(err.Error()) + "\n", true
	}
	ctx, stop := context.WithCancel(s.t.Context())
	h.stop = stop
	go func() { h.ended <- h.Run(ctx) }()
	s.houses[name] = h
	synctest.Wait()
	return "", false
}

func (s *story) world(h *house, c *config.Config) daemon.World {
	addr := "192.0.2.99"
	if len(c.Listen) > 0 {
		addr = netip.MustParseAddrPort(c.Listen[0].Address.Value[0]).Addr().String()
	}
	return daemon.World{
		Listen: s.net.listen, Dial: s.net.from(addr),
		Addrs:    func() ([]netip.Addr, error) { return []netip.Addr{netip.MustParseAddr(addr)}, nil },
		Resolver: s.zone,
		Spool:    func(*config.Config) (spool.Engine, error) { return h.spool, nil },
		Exec: func(_ context.Context, c pipe.Command) (pipe.Status, error) {
			_, err := io.Copy(io.Discard, c.Input)
			return pipe.Status{Output: []byte("ran " + strings.Join(c.Argv, " "))}, err
		},
		Random: newChance(2), Seed: 1,
		Observe: func(e event.Entry) {
			line := e.Line()
			if !e.ID.IsZero() {
				_, line, _ = strings.Cut(line, " ")
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.told = append(s.told, told{e.At, h.name, line})
		},
	}
}

// newChance is random octets that are the same each time.
func newChance(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func (s *story) ask(arg, text string) {
	s.calls[""] = s.dial(arg)
	s.say("", text)
	s.calls[""].Close()
	synctest.Wait()
}

func (s *story) dial(arg string) net.Conn {
	to, from, _ := strings.Cut(arg, " ")
	conn, err := s.net.from(cmp.Or(from, "198.51.100.7"))(s.t.Context(), netip.Addr{}, "tcp", to)
	if err != nil {
		s.t.Fatalf("%s: %v", arg, err)
	}
	return conn
}

// lasting is a connection that outlives a dialogue.
type lasting struct{ net.Conn }

func (lasting) Close() error { return nil }

// say plays a dialogue with who is called.
func (s *story) say(name, text string) {
	script, err := transcript.Parse("dialogue with "+name, text)
	if err == nil {
		err = script.Ask(lasting{s.calls[name]}, nil)
	}
	if err != nil {
		s.t.Error(err)
	}
	synctest.Wait()
}

// reload puts a configuration in place. If that cannot be, it is told behind it.
func (s *story) reload(name, text string) (string, bool) {
	text, _, _ = strings.Cut(text, "\n! ")
	text = strings.TrimSuffix(text, "\n") + "\n"
	c, err := s.parse(name, text)
	if err == nil {
		err = s.houses[name].Reload(s.t.Context(), c)
	}
	if err != nil {
		text += "! " + s.clean(err.Error()) + "\n"
	}
	return text, true
}

func (s *story) end(name string) string {
	h := s.houses[name]
	delete(s.houses, name)
	h.stop()
	if err := <-h.ended; err != nil {
		return "! " + err.Error() + "\n"
	}
	return ""
}

// tell tells what was told, by time; what was told at one instant by its text.
func (s *story) tell() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	slices.SortStableFunc(s.told, func(a, b told) int {
		return cmp.Or(a.at.Compare(b.at), strings.Compare(a.house, b.house), strings.Compare(a.line, b.line))
	})
	var b strings.Builder
	for _, l := range s.told {
		fmt.Fprintf(&b, "%s %s: %s\n", l.at.Format(time.TimeOnly), l.house, s.clean(l.line))
	}
	s.told = nil
	return b.String()
}

func (s *story) mail(name string) string {
	var b strings.Builder
	root := filepath.Join(s.dir, name, "mail")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		box, _ := filepath.Rel(root, filepath.Dir(filepath.Dir(path)))
		fmt.Fprintf(&b, "%s:\n%s", box, s.clean(strings.ReplaceAll(string(text), "\r\n", "\n")))
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Error(err)
	}
	return b.String()
}

var (
	names = regexp.MustCompile(`/new/\S+[^"\s]`)
	ids   = regexp.MustCompile(`\b0[0-9a-z]{19}\b`)
	words = regexp.MustCompile(`<[a-z2-7]{26}@`) // of Message-IDs
	parts = regexp.MustCompile(`=_[0-9A-Za-z]{10,}`)
)

// clean takes out what is another each time.
func (s *story) clean(text string) string {
	text = strings.ReplaceAll(text, s.dir, "DIR")
	text = names.ReplaceAllString(text, "/new/NAME")
	text = words.ReplaceAllString(text, "<WORD@")
	text = parts.ReplaceAllString(text, "=_PART")
	return ids.ReplaceAllString(text, "ID")
}
