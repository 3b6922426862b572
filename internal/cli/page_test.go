package cli

import (
	"bytes"
	"strings"
	"testing"
)

func TestClip(t *testing.T) {
	for _, c := range []struct {
		s    string
		most int
		want string
	}{
		{"hello", 0, "hello"},
		{"hello", 5, "hello"},
		{"hello there", 8, "hello..."},
		{"春天的消息", 10, "春天的消息"},
		{"春天的消息", 9, "春天的..."},
		{"hello", 2, ".."},
		{"", 3, ""},
	} {
		if got := Clip(c.s, c.most); got != c.want || c.most > 0 && Cells(got) > c.most {
			t.Errorf("Clip(%q, %d) = %q, want %q", c.s, c.most, got, c.want)
		}
	}
}

// TestTextIsWrapped: behind its head, at the width of a page, words whole; what a
// stranger wrote cannot begin a line.
func TestTextIsWrapped(t *testing.T) {
	var out bytes.Buffer
	p := NewPage(&out)
	p.Text(" 1. ", strings.Repeat("word ", 30))
	p.Text("reply ", "450 come back\r\nlater \x1b[31m")
	p.Text("", strings.Repeat("x", 200))
	p.Line("a", "", "b ")
	if err := p.Print(&out); err != nil {
		t.Fatal(err)
	}
	want := " 1. " + strings.TrimRight(strings.Repeat("word ", 15), " ") + "\n    " + strings.TrimRight(strings.Repeat("word ", 15), " ") + "\n" +
		`reply 450 come back\r\nlater \x1b[31m` + "\n" + strings.Repeat("x", 200) + "\na b\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 entries", 1: "1 entry", 999: "999 entries", 1000: "1,000 entries", -1234567: "-1,234,567 entries", 12345678: "12,345,678 entries",
	} {
		if got := Count(n, "entry"); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

// TestOnlyAClearYesIsYes: and without a terminal nobody is asked.
func TestOnlyAClearYesIsYes(t *testing.T) {
	for said, want := range map[string]bool{
		"y\n": true, "YES\n": true, " yes \n": true, "y": true, "\n": false, "": false, "n\n": false, "yesterday\n": false, strings.Repeat("y", 1000): false,
	} {
		var out bytes.Buffer
		got, err := confirm(strings.NewReader(said), &out, "Drop 3 recipients?")
		if err != nil || got != want || !strings.HasPrefix(out.String(), "Drop 3 recipients? [y/N] ") {
			t.Errorf("%.10q: %v, %v, %q", said, got, err, out.String())
		}
	}
	_, err := Confirm(strings.NewReader("yes\n"), new(bytes.Buffer), "Drop?", "--yes")
	if status, _ := StatusOf(err); status != Usage {
		t.Errorf("without a terminal: %v", err)
	}
}

// TestALineFits: what a terminal would cut can be put on two lines instead.
func TestALineFits(t *testing.T) {
	p := &Page{wide: 13}
	if !p.Fits("deferred", "in 5") || p.Fits("deferred", "in 5s") {
		t.Error("13 columns do not fit into 13, or 14 do")
	}
	if !new(Page).Fits(strings.Repeat("x", 500)) {
		t.Error("a page without a width has one")
	}
}
