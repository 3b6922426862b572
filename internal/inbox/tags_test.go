package inbox

import (
	"slices"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// TestTags: a message has those that it brings or is given, they are found, and are there
// again when the store is opened anew.
func TestTags(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	put := func(text string) mail.ID {
		m, err := s.Put(t.Context(), Arrival{To: []smtp.Path{}}, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return m.ID
	}
	brought := put("X-Tags: shop, Checkout flow,,SHOP, " + strings.Repeat("x", 41) + "\r\n\r\nx\r\n")
	given := put("Subject: x\r\n\r\nx\r\n")
	tags, err := ParseTags([]string{" 结账 ", "shop", "Shop", ""})
	if err != nil || !slices.Equal(tags, []string{"shop", "结账"}) {
		t.Errorf("read were %q, %v", tags, err)
	}
	if err := s.Tag("", given, tags); err != nil {
		t.Fatal(err)
	}
	if err := s.Mark("", given, true); err != nil { // which leaves the tags alone
		t.Fatal(err)
	}
	found := func(query string) (ids []mail.ID) {
		q, err := ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range s.List("", q, mail.ID{}, 10).Messages {
			ids = append(ids, m.ID)
		}
		return ids
	}
	look := func() {
		t.Helper()
		for query, want := range map[string][]mail.ID{
			"tag:SHOP": {given, brought}, `tag:"checkout flow"`: {brought}, "tag:结账": {given}, "tag:check": nil, "-tag:结账": {brought}, "tag:结账 is:read": {given},
		} {
			if got := found(query); !slices.Equal(got, want) {
				t.Errorf("%s finds %v, want %v", query, got, want)
			}
		}
		if got := s.Tags(""); len(got) != 3 || got["shop"] != 2 || got["结账"] != 1 {
			t.Errorf("the tags are %v", got)
		}
	}
	look()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(Options{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	look()
	if err := s.Tag("", given, nil); err != nil || len(found("tag:结账")) != 0 {
		t.Errorf("taken away: %v, %v", found("tag:结账"), err)
	}
	if s.Tag("", mail.ID{1}, tags) != ErrNotFound {
		t.Error("a message that is not there was given tags")
	}
	for _, wrong := range [][]string{{"a,b"}, {`"`}, {"a\nb"}, {strings.Repeat("x", 41)}, strings.Fields("a b c d e f g h i j k l m n o p q r s t u")} {
		if tags, err := ParseTags(wrong); err == nil {
			t.Errorf("%q are the tags %q", wrong, tags)
		}
	}
}
