package remote_test

import (
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/transport/remote"
	"github.com/posthouse/posthouse/internal/transport/transporttest"
)

// TestStories plays testdata/stories.txt, which says how it is written.
func TestStories(t *testing.T) {
	text, err := os.ReadFile("testdata/stories.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "\n== ")[1:] {
		name, lines, _ := strings.Cut(part, "\n")
		t.Run(name, func(t *testing.T) { play(t, strings.Split(strings.TrimSpace(lines), "\n")) })
	}
}

// story is one that is being played.
type story struct {
	t    *testing.T
	n    *network
	tr   *remote.Transport
	text string
	seen map[string]int // how many a peer had taken before
	last []string       // lines about the last message
}

func play(t *testing.T, lines []string) {
	s := &story{t: t, n: &network{peers: map[string]*transporttest.Peer{}}, seen: map[string]int{}}
	zone, rest := "", lines
	for len(rest) > 0 && !strings.HasPrefix(rest[0], "send ") {
		if l, ok := strings.CutPrefix(rest[0], "zone "); ok {
			zone += l + "\n"
		}
		rest = rest[1:]
	}
	in(t, zone, s.n, func(t *testing.T, tr *remote.Transport) {
		s.t, s.tr = t, tr
		var got []string
		for _, l := range lines {
			word, arg, _ := strings.Cut(l, " ")
			got = append(got, s.do(l, word, strings.TrimSpace(arg))...)
		}
		if g, w := strings.Join(got, "\n"), strings.Join(lines, "\n"); g != w {
			t.Errorf("got:\n%s\nwant:\n%s", g, w)
		}
	})
}

// do returns the line as it should have been.
func (s *story) do(line, word, arg string) []string {
	switch word {
	case "send":
		f := strings.Fields(arg)
		s.n.went()
		for a, p := range s.n.peers {
			s.seen[a] = len(p.Took())
		}
		s.last = strings.Split(s.send(f[0], f[1:]), "\n")
		return []string{line}
	case "->":
		if len(s.last) == 0 {
			return []string{"->"}
		}
		now := "-> " + s.last[0]
		s.last = s.last[1:]
		return []string{now}
	case "dialled":
		return []string{strings.TrimSpace("dialled " + s.n.went())}
	case "took":
		return []string{s.took(strings.Fields(arg)[0])}
	}
	s.setUp(word, arg)
	return []string{line}
}

func (s *story) send(destination string, recipients []string) string {
	d := transporttest.Delivery(transporttest.Envelope(s.t, recipients...), transporttest.Hello, to(destination))
	if s.text != "" {
		d.Content = &transporttest.Text{Octets: s.text}
	}
	outcomes := s.tr.Deliver(s.t.Context(), d)
	transporttest.Check(s.t, d, outcomes)
	return strings.TrimSuffix(transporttest.Tell(outcomes), "\n")
}

func (s *story) took(addr string) string {
	out := "took " + addr
	for _, m := range s.n.peers[addr].Took()[s.seen[addr]:] {
		out += " " + m.To
	}
	return out
}

func (s *story) setUp(word, arg string) {
	first, rest, _ := strings.Cut(arg, " ")
	switch word {
	case "peer":
		p := s.peer(first)
		if stage, reply, ok := strings.Cut(rest, ": "); ok {
			p.Replies[stage] = onWire(s.t, reply)
		}
	case "offers":
		p := s.peer(first)
		p.Offers = append(p.Offers, rest)
	case "silent":
		s.n.silent = append(s.n.silent, first)
	case "self":
		if a, err := netip.ParseAddr(arg); err == nil {
			s.tr.Self.Addrs = append(s.tr.Self.Addrs, a)
		} else {
			s.tr.Self.Names = append(s.tr.Self.Names, name(s.t, arg))
		}
	case "set":
		s.set(first, rest)
	case "zone":
	default:
		s.t.Fatalf("%q is no line of a story", word)
	}
}

func (s *story) set(option, value string) {
	switch option {
	case "smarthost":
		s.tr.Smarthost = true
	case "port":
		n, _ := strconv.Atoi(value)
		s.tr.Port = uint16(n)
	case "no-ipv6":
		s.tr.NoIPv6 = true
	case "source":
		s.tr.Source = append(s.tr.Source, netip.MustParseAddr(value))
	case "utf8":
		s.text = "Subject: héllo\r\n\r\nx\r\n"
	case "8bit":
		s.text = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nhéllo\r\n"
	default:
		s.t.Fatalf("%q is no option", option)
	}
}

func (s *story) peer(addr string) *transporttest.Peer {
	p := s.n.peers[addr]
	if p == nil {
		p = &transporttest.Peer{Replies: map[string]string{}}
		s.n.peers[addr] = p
	}
	return p
}

func onWire(t *testing.T, s string) string {
	if s == "cut" {
		return transporttest.Cut
	}
	u, err := strconv.Unquote(`"` + s + `"`)
	if err != nil {
		t.Fatal(err)
	}
	return u + "\r\n"
}

func name(t testing.TB, s string) dns.Name {
	t.Helper()
	n, err := dns.ParseName(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
