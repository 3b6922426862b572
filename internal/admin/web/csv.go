package web

import (
	"encoding/csv"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/posthouse/posthouse/internal/admin"
)

// table is a list as a file for spreadsheets (RFC 4180), in UTF-8, with the names that the
// API has for the columns. Times are in UTC.
type table struct {
	name string
	rows [][]string // the first has the names of the columns
	more bool       // there are more rows than the file has
}

// maxRows is how many rows a file has at most.
const maxRows = 10_000

// write sends it. A mark in front tells spreadsheets that it is UTF-8, and a last row that
// there is more.
func (t *table) write(w http.ResponseWriter, _ *visit) error {
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8")
	h.Set("Content-Disposition", attachment(t.name+".csv"))
	h.Set("Content-Security-Policy", nothing)
	if _, err := w.Write([]byte("\xef\xbb\xbf")); err != nil {
		return nil // who does not read it any more has gone
	}
	to := csv.NewWriter(w)
	to.UseCRLF = true
	for _, row := range t.rows {
		for i := range row {
			row[i] = cell(row[i])
		}
		_ = to.Write(row) // as above
	}
	if t.more {
		_ = to.Write([]string{"... and more: " + strconv.Itoa(maxRows) + " rows at most are in one file"})
	}
	to.Flush()
	return nil
}

// cell is a text as a spreadsheet may have it: one that would be taken for a formula has an
// apostrophe before it, which is how people say there that it is text. What strangers write
// into a subject must not be reckoned with.
func cell(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			continue
		case strings.ContainsRune("=+-@|＝＋－＠", r):
			return "'" + s
		}
		return s
	}
	return s
}

// instant is a time in a cell; "": there is none.
func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// queueTable is all destinations.
func (c *Console) queueTable(v *visit) (answer, error) {
	d, err := queueNow(v)
	if err != nil {
		return nil, err
	}
	t := &table{name: "queue", rows: [][]string{{"destination", "state", "recipients", "fresh", "deferred", "held", "in_flight", "oldest", "next", "down_since", "last_reply"}}}
	for i := range d.Destinations {
		if i == maxRows {
			t.more = true
			break
		}
		x := &d.Destinations[i]
		t.rows = append(t.rows, []string{
			x.Name, strings.TrimPrefix(x.State(), "state."), count(x.Recipients), count(x.Fresh), count(x.Deferred), count(x.Held),
			strconv.Itoa(x.InFlight), instant(x.Oldest), instant(x.Earliest), instant(x.Down()), x.Reply(),
		})
	}
	return t, nil
}

// listTable is the recipients that a filter chooses.
func (c *Console) listTable(v *visit) (answer, error) {
	filter := v.URL.Query().Get("filter")
	t := &table{name: "messages", rows: [][]string{{"id", "recipient", "to", "original", "from", "subject", "size", "arrived", "destination", "state", "attempts", "next", "last_reply"}}}
	for after := ""; ; {
		page, err := get[admin.QueuePage](v, "/v1/queue", values("filter", filter, "after", after, "limit", "1000"))
		if err != nil {
			return nil, err
		}
		for i := range page.Recipients {
			if len(t.rows) > maxRows {
				t.more = true
				return t, nil
			}
			t.rows = append(t.rows, listRow(&page.Recipients[i]))
		}
		if after = page.Next; after == "" {
			return t, nil
		}
	}
}

func listRow(r *admin.Recipient) []string {
	last := ""
	if r.Last != nil {
		last = r.Last.Reply
	}
	return []string{
		r.ID.String(), strconv.Itoa(r.Recipient), r.To.String(), r.Original.String(), r.From.String(), r.Subject, count(r.Size), instant(r.Arrived),
		r.Destination, r.State, strconv.Itoa(r.Attempts), instant(r.Due), last,
	}
}

// findTable is what a search of the journal finds.
func (c *Console) findTable(v *visit) (answer, error) {
	t := &table{name: "search", rows: [][]string{{"id", "at", "from", "to", "more_recipients", "subject", "size", "fates", "host", "last_reply"}}}
	for after := ""; ; {
		page, err := get[admin.FoundPage](v, "/v1/find", values("q", v.URL.Query().Get("q"), "after", after))
		if err != nil {
			return nil, err
		}
		for i := range page.Found {
			if len(t.rows) > maxRows {
				t.more = true
				return t, nil
			}
			t.rows = append(t.rows, findRow(&page.Found[i]))
		}
		if after = page.Next; after == "" {
			return t, nil
		}
	}
}

func findRow(f *admin.Found) []string {
	from := ""
	if f.From != nil {
		from = f.From.String()
	}
	to := make([]string, len(f.To))
	for i := range f.To {
		to[i] = f.To[i].String()
	}
	var fates []string
	for _, fate := range slices.Sorted(maps.Keys(f.Fates)) {
		fates = append(fates, fate+" "+strconv.Itoa(f.Fates[fate]))
	}
	return []string{
		f.ID.String(), instant(f.At), from, strings.Join(to, " "), strconv.Itoa(f.More), f.Subject, count(f.Size),
		strings.Join(fates, " "), f.Host, f.Last,
	}
}
