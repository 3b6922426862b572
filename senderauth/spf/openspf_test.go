package spf_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/posthouse/posthouse/senderauth/spf"
)

// scenario is one document of the openspf test suite.
type scenario struct {
	Description string
	Tests       map[string]suiteCase
	Zonedata    map[string][]yaml.Node
}

type suiteCase struct {
	Spec        yaml.Node
	Helo        string
	Host        string
	MailFrom    string `yaml:"mailfrom"`
	Result      oneOrMore
	Explanation string
}

type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMore{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
}

// TestOpenSPF runs the public test suite of RFC 7208, all of it.
func TestOpenSPF(t *testing.T) {
	cases := 0
	for _, s := range readSuite(t, "testdata/openspf/rfc7208-tests.yml") {
		z := s.zone(t)
		for name, c := range s.Tests {
			cases++
			t.Run(name, func(t *testing.T) { c.run(t, z) })
		}
	}
	if cases != 203 {
		t.Errorf("the suite has %d cases, not 203: was it cut?", cases)
	}
}

func readSuite(t *testing.T, file string) (all []scenario) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var s scenario
		err := dec.Decode(&s)
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
}

func (c suiteCase) run(t *testing.T, z zone) {
	got := spf.Check(context.Background(), z, spf.Query{
		IP: netip.MustParseAddr(c.Host), Helo: c.Helo, MailFrom: c.MailFrom,
	}, spf.Options{})
	if !slices.Contains(c.Result, string(got.Verdict)) {
		t.Errorf("got %s (%v), want %v", got.Verdict, got.Err, c.Result)
	}
	want := c.Explanation
	if want == "DEFAULT" {
		want = "" // the caller's words
	}
	if c.Explanation != "" && got.Explanation != want {
		t.Errorf("got explanation %q, want %q", got.Explanation, want)
	}
}

// zone is a DNS in memory: type and name in lower case to records.
type zone map[string][]string

func (s scenario) zone(t *testing.T) zone {
	z := zone{}
	for name, nodes := range s.Zonedata {
		name = strings.ToLower(name)
		for _, n := range nodes {
			z.add(t, name, n)
		}
		if _, ok := z["TXT "+name]; !ok { // the suite's rule: SPF records are copied to TXT
			z.set("TXT "+name, z["SPF "+name]...)
		}
	}
	return z
}

func (z zone) set(key string, values ...string) {
	if len(values) > 0 {
		z[key] = append(z[key], values...)
	}
}

func (z zone) add(t *testing.T, name string, n yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		z[n.Value+" "+name] = []string{} // TIMEOUT
		return
	}
	kind, value := n.Content[0].Value, n.Content[1]
	key := kind + " " + name
	switch {
	case value.Kind == yaml.ScalarNode && value.Value == "NONE":
		z[key] = []string{}
	case value.Kind == yaml.ScalarNode:
		z.set(key, text(t, value))
	case kind == "MX":
		z.set(key, value.Content[1].Value)
	default:
		var parts []string
		for _, part := range value.Content {
			parts = append(parts, text(t, part))
		}
		z.set(key, strings.Join(parts, ""))
	}
}

// text gives \x escapes as the octets that they stand for, not as code points.
func text(t *testing.T, n *yaml.Node) string {
	var b []byte
	for _, r := range n.Value {
		if r > 0xff {
			t.Fatalf("%q is not made of octets", n.Value)
		}
		b = append(b, byte(r))
	}
	return string(b)
}

func (z zone) lookup(kind, name string) ([]string, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for range 8 {
		if found := z[kind+" "+name]; len(found) > 0 {
			return found, nil
		}
		if alias := z["CNAME "+name]; len(alias) > 0 {
			name = strings.ToLower(strings.TrimSuffix(alias[0], "."))
			continue
		}
		if _, ok := z["TIMEOUT "+name]; ok {
			return nil, &net.DNSError{Err: "timeout", Name: name, IsTimeout: true, IsTemporary: true}
		}
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return nil, errors.New("a loop of aliases")
}

func (z zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	return z.lookup("TXT", name)
}

func (z zone) LookupMX(_ context.Context, name string) (all []*net.MX, err error) {
	hosts, err := z.lookup("MX", name)
	for _, h := range hosts {
		all = append(all, &net.MX{Host: h + "."})
	}
	return all, err
}

func (z zone) LookupNetIP(_ context.Context, network, host string) (all []netip.Addr, err error) {
	kind := map[string]string{"ip4": "A", "ip6": "AAAA"}[network]
	ips, err := z.lookup(kind, host)
	for _, ip := range ips {
		all = append(all, netip.MustParseAddr(ip))
	}
	return all, err
}

func (z zone) LookupAddr(_ context.Context, addr string) ([]string, error) {
	return z.lookup("PTR", reverseName(netip.MustParseAddr(addr)))
}

func reverseName(ip netip.Addr) string {
	if b := ip.AsSlice(); len(b) == 4 {
		return fmt.Sprintf("%d.%d.%d.%d.in-addr.arpa", b[3], b[2], b[1], b[0])
	}
	var s strings.Builder
	b := ip.As16()
	for _, octet := range slices.Backward(b[:]) {
		fmt.Fprintf(&s, "%x.%x.", octet&15, octet>>4)
	}
	return s.String() + "ip6.arpa"
}
