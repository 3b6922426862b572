package mail_test

import (
	"bytes"
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

func TestIDsSortByArrivalAsTextAndAsOctets(t *testing.T) {
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	var texts []string
	var last mail.ID
	for i := range 1000 {
		id, err := mail.NewID(start.Add(time.Duration(i)*time.Millisecond), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Compare(last[:], id[:]) >= 0 {
			t.Fatalf("%s does not come after %s", id, last)
		}
		if got := id.Arrived().UTC(); !got.Equal(start.Add(time.Duration(i) * time.Millisecond)) {
			t.Fatalf("arrived %v", got)
		}
		last = id
		texts = append(texts, id.String())
	}
	if !slices.IsSorted(texts) {
		t.Error("the texts do not sort")
	}
}

func TestParseIDReadsWhatStringPrints(t *testing.T) {
	id, err := mail.NewID(time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	got, err := mail.ParseID(id.String())
	if err != nil || got != id {
		t.Fatalf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "abc", id.String() + "0", "u" + id.String()[1:], id.String()[:19] + "z", "../../../../etc/passw"} {
		if got, err := mail.ParseID(bad); err == nil && got != id {
			t.Errorf("ParseID(%q) = %v", bad, got)
		}
	}
}
