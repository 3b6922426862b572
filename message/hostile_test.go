package message

import (
	"strings"
	"testing"
)

// hostile are shapes that make parsers which look back, or ahead, slow.
var hostile = []string{
	"(", ")", "<", ">", `"`, ",", `\`, "=?", "[", "]", "@", ":", ";", ".", " ", "a", "(a", `"\`, `\"`, `"(`, "<@", "<@a,",
	"a:", "a@b,", "=?a?q?", "=?a?q?b?=", "=?utf-8?q?b?= ", "()", "a <", "a:<b@c>;", "((a)", `"a" `, "[a", "\r\n ", "é", "\xff", "=?a?b?====",
}

// TestAddressListsAreReadInLinearTime counts how often a byte is looked at,
// on 1 MiB of each shape and of each pair.
func TestAddressListsAreReadInLinearTime(t *testing.T) {
	for _, s := range hostile {
		for _, size := range []int{1 << 14, 1 << 20} {
			text := strings.Repeat(s, size/len(s))
			checkSteps(t, s, text)
			checkSteps(t, "half "+s, `"(<[`+text[:len(text)/2]+`a@b>`)
			if t.Failed() {
				return // the large ones would take hours
			}
		}
	}
	for _, a := range hostile {
		for _, b := range hostile {
			s := strings.Repeat(a, 1<<10) + strings.Repeat(b, 1<<10)
			checkSteps(t, a+" then "+b, s+s)
		}
	}
}

func checkSteps(t *testing.T, shape, text string) {
	p := listParser{lex: addressLexer{s: text}}
	p.parse()
	if limit := 8*len(text) + 64; p.lex.steps > limit {
		t.Errorf("%q: %d steps for %d bytes", shape, p.lex.steps, len(text))
	}
}

// TestEncodedWordsAreDecodedInLinearMemory holds the decoder to allocations
// that grow no faster than its input.
func TestEncodedWordsAreDecodedInLinearMemory(t *testing.T) {
	for _, s := range hostile {
		if out := decodeText(strings.Repeat(s, 1<<20/len(s))); len(out) > 4<<20 {
			t.Errorf("%q: 1 MiB became %d bytes", s, len(out))
		}
	}
}

// TestALongDomainIsNotEncoded: punycode takes quadratic time, which for 1 MiB
// would be hours.
func TestALongDomainIsNotEncoded(t *testing.T) {
	long := Address{Addr: "a@" + strings.Repeat("é", 1<<19)}
	if _, err := ParseAddressList(long.Addr); err == nil {
		t.Error("a domain of 1 MiB was taken")
	}
	if s := long.String(); s != long.Addr {
		t.Errorf("%.40q", s)
	}
	if s := (Received{Helo: long.Addr[2:], By: long.Addr[2:], Host: long.Addr[2:], For: long.Addr}).String(); len(s) > 2000 {
		t.Error(len(s))
	}
}
