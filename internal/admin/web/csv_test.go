package web_test

import (
	"encoding/csv"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/admin/admintest"
	"github.com/posthouse/posthouse/internal/admin/web"
)

// TestTables are files for spreadsheets: all rows of a list, and nothing in them is
// reckoned with.
func TestTables(t *testing.T) {
	evil := map[string]string{ // a subject, and its cell
		`=HYPERLINK("http://x.example","y")`: `'=HYPERLINK("http://x.example","y")`,
		"+1,2;3":                             "'+1,2;3",
		"-2+3|cmd":                           "'-2+3|cmd",
		"@SUM(A1)":                           "'@SUM(A1)",
		"\t=1":                               "' =1",
		"＝1+1":                               "'＝1+1",
		"two, \"words\" and 中文":              "two, \"words\" and 中文",
		"x=1":                                "x=1",
	}
	letters := some()
	for subject := range evil {
		letters = append(letters, admintest.Letter{From: "ann@example.org", Subject: subject, To: []admintest.Waiting{{To: "=cmd@held.example", Held: "joe"}}})
	}
	w := openWorld(t, web.Options{}, letters...)
	list := w.table("/queue/messages?format=csv")
	if len(list) != 1+3+len(evil) {
		t.Errorf("the list has %d rows: %v", len(list), list)
	}
	seen := map[string]bool{}
	for _, row := range list[1:] {
		seen[row[5]] = true
		if strings.HasPrefix(row[2], "=") {
			t.Errorf("an address is a formula: %q", row)
		}
	}
	for subject, cell := range evil {
		if !seen[cell] {
			t.Errorf("the subject %q is not the cell %q: %v", subject, cell, seen)
		}
	}
	if some := w.table("/queue/messages?format=csv&filter=dest:grey.example"); len(some) != 2 || some[1][2] != "bob@grey.example" {
		t.Errorf("of a filter: %q", some)
	}
	queue := w.table("/queue?format=csv")
	if len(queue) != 5 || queue[0][0] != "destination" || queue[1][0] != "held.example" || queue[1][2] != "8" {
		t.Errorf("the destinations: %q", queue)
	}
	w.house.Send("ann@example.org", "=1+1", "bob@sina.example")
	found := w.table("/find?format=csv&q=to:bob@sina.example")
	if len(found) != 2 || found[1][5] != "'=1+1" || found[1][7] != "relayed 1" {
		t.Errorf("the search: %q", found)
	}
	w.says(w.get("/queue/messages?format=csv&filter=colour:red"), 400, "is no word of a filter")
	w.says(w.get("/find?format=csv&q=a*b"), 400)
}

// table gets a file and reads it.
func (w *world) table(path string) [][]string {
	w.t.Helper()
	p := w.get(path)
	if p.status != 200 || p.header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(p.header.Get("Content-Disposition"), "attachment") {
		w.t.Fatalf("%s: %d %v", path, p.status, p.header)
	}
	text, marked := strings.CutPrefix(p.text, "\xef\xbb\xbf")
	if !marked {
		w.t.Errorf("%s does not say that it is UTF-8", path)
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}
