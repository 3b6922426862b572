package hostile

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	chance "math/rand/v2"
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

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/daemon"
	"github.com/posthouse/posthouse/internal/dns/dnsclient"
	"github.com/posthouse/posthouse/internal/event"
	"github.com/posthouse/posthouse/internal/simnet"
	"github.com/posthouse/posthouse/internal/spool"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/internal/spool/pebblespool"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/internal/transport/pipe"
)

// Addresses that stories need not name.
const (
	nameServer = "192.0.2.53"
	stranger   = "198.51.100.7"
)

// world is a network with houses, other servers and strangers, in a bubble.
type world struct {
	testing.TB
	dir     string
	net     *simnet.Net
	zone    *simnet.Zone
	hosts   map[string]*simnet.Host // by address
	servers map[string]*gullible
	disk    vfs.FS // of the spools; nil: they are in memory
	ends    []func()

	mu   sync.Mutex
	told []told
	ran  []string

	heard []string // by those who brought letters
}

// told is a line that a house told.
type told struct {
	at          time.Time
	house, line string
}

func newWorld(t testing.TB, dir string) *world {
	w := &world{
		TB: t, dir: dir, net: simnet.New(simnet.Options{Seed: 1}), zone: &simnet.Zone{},
		hosts: map[string]*simnet.Host{}, servers: map[string]*gullible{},
	}
	stop, err := w.zone.Serve(t.Context(), w.host(nameServer), ":53")
	w.must(err)
	w.ends = append(w.ends, stop)
	return w
}

// end ends everybody, the last who came first.
func (w *world) end() {
	for _, end := range slices.Backward(w.ends) {
		end()
	}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// host is the one at an address.
func (w *world) host(addr string) *simnet.Host {
	if w.hosts[addr] == nil {
		w.hosts[addr] = w.net.Host(addr, addr)
	}
	return w.hosts[addr]
}

func (w *world) dial(from, to string) net.Conn {
	w.Helper()
	conn, err := w.host(cmp.Or(from, stranger)).Dial(w.Context(), anyAddr, "tcp", to)
	w.must(err)
	return conn
}

// house begins one of ours.
func (w *world) house(name, addr, text string) *daemon.House {
	w.Helper()
	c, err := config.Parse(name+".hcl", []byte(strings.ReplaceAll(text, "DIR", w.dir)), config.Options{})
	w.must(err)
	h, err := daemon.New(w.Context(), c, w.outside(name, w.host(addr)))
	w.must(err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	w.ends = append(w.ends, func() {
		stop()
		if err := <-ended; err != nil {
			w.Errorf("%s ended with %v", name, err)
		}
	})
	synctest.Wait()
	return h
}

// outside is the world of a house.
func (w *world) outside(name string, host *simnet.Host) daemon.World {
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return host.Dial(ctx, anyAddr, network, address)
	}
	engine := w.inMemory
	if w.disk != nil {
		engine = w.onDisk
	}
	return daemon.World{
		Listen: host.Listen, Dial: host.Dial, Addrs: host.Addrs,
		Resolver: &dnsclient.Client{Servers: []netip.AddrPort{netip.MustParseAddrPort(nameServer + ":53")}, Dial: dial},
		Spool:    engine,
		Env:      func(string) (string, bool) { return "", false },
		Random:   newChance(2), Seed: 1,
		Exec: w.exec,
		Observe: func(e event.Entry) {
			line := e.Line()
			if !e.ID.IsZero() {
				_, line, _ = strings.Cut(line, " ")
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, told{e.At, name, line})
		},
	}
}

func (w *world) inMemory(*config.Config) (spool.Engine, error) {
	return memspool.New(memspool.Options{Random: newChance(1)}), nil
}

// onDisk is the spool of a house on the disk of the world.
func (w *world) onDisk(*config.Config) (spool.Engine, error) {
	return pebblespool.Open("/spool", pebblespool.Options{
		FS: w.disk, Random: newChance(1), MemTable: 1 << 20, Cache: 1 << 20, MinFree: -1, Ballast: -1,
	})
}

// anyAddr is where it does not matter from which address one dials.
var anyAddr netip.Addr

func newChance(seed byte) io.Reader { return &shared{chance: chance.NewChaCha8([32]byte{seed})} }

// shared is octets by chance, the same each time, for many readers.
type shared struct {
	mu     sync.Mutex
	chance *chance.ChaCha8
}

func (s *shared) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.chance.Read(p)
}

// exec notes what would run, and runs nothing.
func (w *world) exec(_ context.Context, c pipe.Command) (pipe.Status, error) {
	_, err := io.Copy(io.Discard, c.Input)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ran = append(w.ran, fmt.Sprintf("%q %q\n", c.Argv, c.Env))
	return pipe.Status{}, err
}

func (w *world) commands() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.ran)
	out := strings.Join(w.ran, "")
	w.ran = nil
	return w.clean(out)
}

// tell tells what was told, by the second; what was told in one second by its text, since which
// of several roads is the shorter hangs on chance.
func (w *world) tell() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.told, func(a, b told) int {
		return cmp.Or(a.at.Truncate(time.Second).Compare(b.at.Truncate(time.Second)), strings.Compare(a.house, b.house), strings.Compare(a.line, b.line))
	})
	var b strings.Builder
	for _, l := range w.told {
		fmt.Fprintf(&b, "%s %s: %s\n", l.at.Format(time.TimeOnly), l.house, w.clean(l.line))
	}
	w.told = nil
	return b.String()
}

// count is how many lines were told that have all the words, since they were told last.
func (w *world) count(words []string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.told {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(l.line, word) }) {
			n++
		}
	}
	return n
}

// questions is how many different ones of a type the DNS was asked.
func (w *world) questions(typ string) int {
	asked := map[string]bool{}
	for _, q := range w.zone.Asked() {
		if strings.HasPrefix(q, typ+" ") {
			asked[q] = true
		}
	}
	return len(asked)
}

func (w *world) write(name, text string) {
	w.Helper()
	path := filepath.Join(w.dir, name)
	w.must(os.MkdirAll(filepath.Dir(path), 0o755))
	w.must(os.WriteFile(path, []byte(strings.ReplaceAll(text, "DIR", w.dir)), 0o644))
}

func (w *world) link(name, to string) {
	w.Helper()
	path := filepath.Join(w.dir, name)
	w.must(os.MkdirAll(filepath.Dir(path), 0o755))
	w.must(os.Symlink(strings.TrimSpace(strings.ReplaceAll(to, "DIR", w.dir)), path))
}

// mail is what is in the Maildirs of a house.
func (w *world) mail(name string) string {
	w.Helper()
	var all []string
	root := filepath.Join(w.dir, name, "mail")
	w.walk(root, func(path string, _ fs.DirEntry) error {
		text, err := os.ReadFile(path)
		box, _ := filepath.Rel(root, filepath.Dir(filepath.Dir(path)))
		all = append(all, box+":\n"+w.clean(strings.ReplaceAll(string(text), "\r\n", "\n")))
		return err
	})
	slices.Sort(all) // the names of files hang on chance
	return strings.Join(all, "")
}

// tree is the names of all files.
func (w *world) tree() string {
	w.Helper()
	var b strings.Builder
	w.walk(w.dir, func(path string, d fs.DirEntry) error {
		rel, err := filepath.Rel(w.dir, path)
		kind := ""
		if d.Type()&fs.ModeSymlink != 0 {
			kind = " (a link)"
		}
		fmt.Fprintf(&b, "%s%s\n", w.clean("/"+rel), kind)
		return err
	})
	return b.String()
}

func (w *world) walk(root string, f func(path string, d fs.DirEntry) error) {
	w.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return f(path, d)
	})
	if !errors.Is(err, fs.ErrNotExist) {
		w.must(err)
	}
}

var (
	files = regexp.MustCompile(`/new/\d+\.M[^"\s]*[^"\s.,]`)
	took  = regexp.MustCompile(` took=\S+`)
	ids   = regexp.MustCompile(`\b0[0-9a-z]{19}\b`)
	words = regexp.MustCompile(`<[a-z2-7]{26}@`) // of Message-IDs
	parts = regexp.MustCompile(`=_[0-9A-Za-z]{10,}`)
)

// clean takes out what is another each time.
func (w *world) clean(text string) string {
	text = strings.ReplaceAll(text, w.dir, "DIR")
	text = files.ReplaceAllString(text, "/new/NAME")
	text = words.ReplaceAllString(text, "<WORD@")
	text = parts.ReplaceAllString(text, "=_PART")
	text = took.ReplaceAllString(text, "")
	return ids.ReplaceAllString(text, "ID")
}

// serve answers whoever comes to an address, until the world ends.
func (w *world) serve(address string, answer func(nth int, conn net.Conn)) {
	w.Helper()
	addr, port, err := net.SplitHostPort(address)
	w.must(err)
	l, err := w.host(addr).Listen(w.Context(), "tcp", ":"+port)
	w.must(err)
	var all sync.WaitGroup
	all.Go(func() {
		for nth := 0; ; nth++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				answer(nth, conn)
			})
		}
	})
	w.ends = append(w.ends, func() {
		_ = l.Close()
		all.Wait()
	})
}

// peer plays a server, one dialogue with each that comes.
func (w *world) peer(address, text string) {
	w.Helper()
	var scripts []*transcript.Script
	for part := range strings.SplitSeq(text, "----\n") {
		s, err := transcript.Parse("peer "+address, spell(part))
		w.must(err)
		scripts = append(scripts, s)
	}
	secure := w.certificate()
	w.serve(address, func(nth int, conn net.Conn) {
		if err := scripts[min(nth, len(scripts)-1)].Serve(conn, secure); err != nil {
			w.Error(err)
		}
	})
}

// certificate is made where it is used: the clock of a bubble begins in 2000.
func (w *world) certificate() *tls.Config {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	w.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	w.must(err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// trusting is for strangers, who do not mind with whom they speak.
func trusting() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true}
}
