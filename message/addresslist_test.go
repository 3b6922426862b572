package message_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/posthouse/posthouse/message"
)

// TestAddressesAsPeopleWriteThem plays testdata/addresses.txt.
func TestAddressesAsPeopleWriteThem(t *testing.T) {
	data, err := os.ReadFile("testdata/addresses.txt")
	if err != nil {
		t.Fatal(err)
	}
	var input, want string
	line := 0
	check := func() {
		if line == 0 {
			return
		}
		got := describe(message.ParseAddressList(input))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("line %d: %q:\n%s", line, input, diff)
		}
	}
	for i, l := range strings.Split(string(data), "\n") {
		switch {
		case strings.HasPrefix(l, "< "):
			check()
			line, want = i+1, ""
			input = unescape(l[2:])
		case l != "" && !strings.HasPrefix(l, "#"):
			want += l + "\n"
		}
	}
	check()
}

func unescape(s string) string {
	return strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\t`, "\t", `\x00`, "\x00", `\u00ad`, "\u00ad").Replace(s)
}

func describe(list message.AddressList, err error) string {
	var b strings.Builder
	var bad *message.ParseError
	if errors.As(err, &bad) {
		fmt.Fprintf(&b, "! %d\n", bad.Offset)
	}
	for _, e := range list {
		switch e := e.(type) {
		case message.Address:
			fmt.Fprintf(&b, "= %s | %s\n", e.Name, e.Addr)
		case message.Group:
			fmt.Fprintf(&b, "[ %s\n", e.Name)
			for _, a := range e.Members {
				fmt.Fprintf(&b, "= %s | %s\n", a.Name, a.Addr)
			}
			b.WriteString("]\n")
		}
	}
	return b.String()
}

func TestWhatIsPrintedIsParsedBack(t *testing.T) {
	addr := rapid.Custom(func(t *rapid.T) message.Address {
		return message.Address{
			Name: anyText().Filter(holdable).Draw(t, "name"),
			Addr: rapid.SampledFrom([]string{"a@example.org", `"a b,<>"@example.org`, `"\"\\"@[192.0.2.1]`, "张@例.cn"}).Draw(t, "addr"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		var list message.AddressList
		for range rapid.IntRange(0, 4).Draw(t, "n") {
			if rapid.Bool().Draw(t, "group") {
				list = append(list, message.Group{Name: anyText().Filter(holdable).Draw(t, "group name"), Members: rapid.SliceOfN(addr, 0, 3).Draw(t, "members")})
			} else {
				list = append(list, addr.Draw(t, "address"))
			}
		}
		got, err := message.ParseAddressList(list.String())
		if err != nil {
			t.Fatal(err, list.String())
		}
		if diff := cmp.Diff(describe(list, nil), describe(got, nil)); diff != "" {
			t.Fatalf("%s\n%s", list, diff)
		}
	})
}

func TestStringNeverBreaksALine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := message.Address{Name: rapid.String().Draw(t, "name"), Addr: rapid.String().Draw(t, "addr")}
		if s := a.String(); strings.ContainsAny(s, "\r\n\x00") {
			t.Fatalf("%q", s)
		}
	})
}

func FuzzParseAddressList(f *testing.F) {
	data, err := os.ReadFile("testdata/addresses.txt")
	if err != nil {
		f.Fatal(err)
	}
	for l := range strings.SplitSeq(string(data), "\n") {
		if s, ok := strings.CutPrefix(l, "< "); ok {
			f.Add(unescape(s))
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := message.ParseAddressList(s)
		var bad *message.ParseError
		if errors.As(err, &bad) && (bad.Offset < 0 || bad.Offset > len(s)) {
			t.Fatal("offset", bad.Offset)
		}
		again, err := message.ParseAddressList(list.String())
		if err != nil || again.String() != list.String() { // domains may be in A-labels now
			t.Fatalf("%q: %q is read as %q (%v)", s, list, again, err)
		}
		m := letter()
		m.To, m.Internationalized = list, true
		if _, err := m.WriteTo(discard{}); err != nil && !strings.Contains(err.Error(), "998") {
			t.Fatal(err)
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
