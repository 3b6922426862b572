package srs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/senderauth/srs"
)

var (
	today = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	first = &srs.Rewriter{Domain: "first.example", Secrets: [][]byte{[]byte("the first secret")}}
	next  = &srs.Rewriter{Domain: "next.example", Secrets: [][]byte{[]byte("the second secret")}}
	third = &srs.Rewriter{Domain: "third.example", Secrets: [][]byte{[]byte("the third secret")}}
)

func forward(t *testing.T, r *srs.Rewriter, sender string) string {
	t.Helper()
	got, err := r.Forward(sender, today)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestThereAndBack(t *testing.T) {
	for _, sender := range []string{
		"jo@example.org", "jo+x=y@example.org", "SRS0@example.org", "srs@example.org", "=@example.org", "j\u00f6@b\u00fccher.example",
		"SRS2=a=b=c=d@example.org",
	} {
		one := forward(t, first, sender)
		if !strings.HasPrefix(one, "SRS0=") || !strings.HasSuffix(one, "@first.example") {
			t.Errorf("%s: %s", sender, one)
		}
		if back, err := first.Reverse(strings.ToLower(one), today.AddDate(0, 0, 21)); err != nil || !strings.EqualFold(back, sender) {
			t.Errorf("%s: back comes %s, %v", one, back, err)
		}
	}
}

// TestThreeForwarders checks that the report goes past the second at once.
func TestThreeForwarders(t *testing.T) {
	one := strings.Replace(forward(t, first, "jo@example.org"), "SRS0=", "SRS0+", 1)
	two := forward(t, next, one)
	three := forward(t, third, two)
	if !strings.HasPrefix(two, "SRS1=") || !strings.HasPrefix(three, "SRS1=") || len(three) > len(two)+1 {
		t.Errorf("%s, then %s", two, three)
	}
	back, err := third.Reverse(three, today)
	if err != nil || back != one {
		t.Fatalf("third: %s, %v", back, err)
	}
	if back, err = first.Reverse(back, today); err != nil || back != "jo@example.org" {
		t.Errorf("first: %s, %v", back, err)
	}
}

func TestWhatStays(t *testing.T) {
	for _, sender := range []string{"", "jo@first.example", "jo@FIRST.example"} {
		if got := forward(t, first, sender); got != sender {
			t.Errorf("%q becomes %q", sender, got)
		}
	}
}

func TestWhatIsNotTaken(t *testing.T) {
	good := forward(t, first, "jo@example.org")
	for address, want := range map[string]error{
		"jo@first.example":                       srs.ErrNotOurs,
		"SRS0=@first.example":                    srs.ErrNotOurs,
		"SRS0=a@first.example":                   srs.ErrNotOurs,
		"":                                       srs.ErrNotOurs,
		strings.Replace(good, "=jo@", "=al@", 1): srs.ErrForged,
		strings.Replace(good, "example.org", "example.net", 1): srs.ErrForged,
		strings.Replace(good, "SRS0", "SRS1", 1):               srs.ErrNotOurs,
		"SRS0=AAAAAAAA=AA=bank.example=ceo@first.example":      srs.ErrForged,
		"SRS0=bank.example=ceo@first.example":                  srs.ErrForged,
		strings.Replace(good, "first", "next", 1):              srs.ErrNotOurs,
		// One kind of address may not stand for the other.
		strings.Replace(forward(t, first, "SRS0=a=b=c=d@example.org"), "SRS1", "SRS0", 1): srs.ErrForged,
	} {
		got, err := first.Reverse(address, today)
		if !errors.Is(err, want) {
			t.Errorf("%s: %s, %v", address, got, err)
		}
	}
	for _, now := range []time.Time{today.AddDate(0, 0, 22), today.AddDate(0, 0, -1)} {
		if _, err := first.Reverse(good, now); !errors.Is(err, srs.ErrExpired) {
			t.Errorf("%v: %v", now, err)
		}
	}
}

func TestUnfit(t *testing.T) {
	for _, sender := range []string{"jo", "@example.org", `"jo smith"@example.org`, "a..b@example.org", "jo@[192.0.2.1]", "jo@a\r\nb", "j\r\no@example.org", strings.Repeat("x", 250) + "@example.org"} {
		if got, err := first.Forward(sender, today); !errors.Is(err, srs.ErrUnfit) {
			t.Errorf("%q becomes %q, %v", sender, got, err)
		}
	}
	for _, r := range []*srs.Rewriter{{}, {Domain: "x.example"}, {Domain: "x.example", Secrets: [][]byte{[]byte("short")}}} {
		if _, err := r.Forward("jo@example.org", today); err == nil {
			t.Errorf("%+v was taken", r)
		}
	}
}

func TestNewSecret(t *testing.T) {
	rotated := &srs.Rewriter{Domain: "first.example", Secrets: [][]byte{[]byte("a secret of today"), first.Secrets[0]}}
	if _, err := rotated.Reverse(forward(t, first, "jo@example.org"), today); err != nil {
		t.Error(err)
	}
	if _, err := first.Reverse(forward(t, rotated, "jo@example.org"), today); !errors.Is(err, srs.ErrForged) {
		t.Error(err)
	}
}

// FuzzReverse looks for addresses that come back as anything that was not
// signed, or that do not come back as they went.
func FuzzReverse(f *testing.F) {
	f.Add("jo@example.org")
	f.Add("SRS0=AAAAAAAA=AA=bank.example=ceo@first.example")
	f.Add("SRS1=AAAAAAAA=bank.example==ceo@next.example")
	f.Fuzz(func(t *testing.T, address string) {
		if back, err := first.Reverse(address, today); err == nil {
			t.Errorf("%q is taken for one of ours, as %q", address, back)
		}
		sent, err := first.Forward(address, today)
		if err != nil || sent == address {
			return
		}
		if back, err := first.Reverse(sent, today); err != nil || !strings.HasPrefix(sent, "SRS1") && back != address {
			t.Errorf("%q went as %q and came back as %q, %v", address, sent, back, err)
		}
	})
}

func Example() {
	r := &srs.Rewriter{Domain: "forwarder.example", Secrets: [][]byte{[]byte("made by a random source")}}
	sender, err := r.Forward("jo@example.org", today)
	fmt.Println(sender, err)
	back, err := r.Reverse(sender, today.AddDate(0, 0, 3))
	fmt.Println(back, err)
	_, err = r.Reverse("SRS0=AAAAAAAA=AA=example.net=al@forwarder.example", today)
	fmt.Println(err)
	// Output:
	// SRS0=KU4UD57E=JM=example.org=jo@forwarder.example <nil>
	// jo@example.org <nil>
	// srs: the hash is not ours
}
