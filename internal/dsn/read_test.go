package dsn_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// TestReadFindsWhatWriteWrote reads back a report with everything in it.
func TestReadFindsWhatWriteWrote(t *testing.T) {
	r := report(t)
	to := refused(t)
	to.Original = smtp.ORcpt{Type: "rfc822", Addr: "Bobby@sina.com"}
	late := dsn.NewRecipient(mail.Recipient{To: path(t, "dave@example.org")}, mail.Outcome{
		Fate: mail.Deferred, At: day, Local: true, Reply: smtp.Replyf(451, smtp.EnhancedCode{4, 4, 1}, "nobody answers"),
	}, mail.ReportDelayed)
	late.Until = day.Add(time.Hour)
	r.Recipients = []dsn.Recipient{to, late}
	text, _ := write(t, r, content(letter))
	for _, lines := range []string{text, strings.ReplaceAll(text, "\r\n", "\n")} {
		got, err := dsn.Read(strings.NewReader(lines))
		if err != nil {
			t.Fatal(err)
		}
		ignore := cmpopts.IgnoreFields(dsn.Report{}, "From", "To", "Date", "ID")
		if d := cmp.Diff(r, got, ignore); d != "" {
			t.Error(d)
		}
	}
}

// TestReadOthers reads reports as other programs write them; what is found is
// in the file, before the report.
func TestReadOthers(t *testing.T) {
	files, _ := filepath.Glob("testdata/read/*.txt")
	if len(files) == 0 {
		t.Fatal("no reports")
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			all, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, text, _ := strings.Cut(string(all), "-- report --\n")
			r, err := dsn.Read(strings.NewReader(text))
			got := tell(r, err)
			if *update {
				if err := os.WriteFile(file, []byte(got+"-- report --\n"+text), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func tell(r *dsn.Report, err error) string {
	if err != nil {
		return err.Error() + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "from %s, envelope %q, subject %q, id %s, arrived %v\n", r.MTA, r.EnvID, r.Subject, r.MessageID, r.Arrived)
	for _, to := range r.Recipients {
		fmt.Fprintf(&b, "%s (%s): %s, status %s, %s said %s: %s\n",
			to.Final, to.Original, to.Action, to.Status, to.Remote, to.Diagnostic.Type, to.Diagnostic.Text)
	}
	return b.String()
}

// TestReadIsLinear reads a report of 60 MB that is nothing but recipients, and
// one that is nothing but parts. It takes a second; what is not linear takes hours.
func TestReadIsLinear(t *testing.T) {
	head := "Content-Type: multipart/report; boundary=b\n\n"
	for name, text := range map[string]string{
		"recipients":   head + "--b\nContent-Type: message/delivery-status\n\n" + strings.Repeat("Action: failed\n\n", 1_000_000) + "--b--\n",
		"empty lines":  head + "--b\nContent-Type: message/delivery-status\n\n" + strings.Repeat("\n", 10_000_000) + "--b--\n",
		"not fields":   head + "--b\nContent-Type: message/delivery-status\n\n" + strings.Repeat("no field\n", 1_000_000) + "--b--\n",
		"parts":        head + strings.Repeat("--b\n\n", 1_000_000),
		"nested":       strings.Repeat("Content-Type: multipart/mixed; boundary=b\n\n--b\n", 10_000),
		"one long one": head + "--b\nContent-Type: message/delivery-status\n\nX:" + strings.Repeat("a ", 5_000_000) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			r, err := dsn.Read(strings.NewReader(text))
			if took := time.Since(start); took > time.Minute {
				t.Errorf("it took %v for %d octets", took, len(text))
			}
			if err == nil && len(r.Recipients) > 10_000 {
				t.Errorf("%d recipients", len(r.Recipients))
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, pattern := range []string{"testdata/*.txt", "testdata/read/*.txt"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text))
			if _, after, ok := strings.Cut(string(text), "\n"); ok {
				f.Add(after)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := dsn.Read(strings.NewReader(text))
		if err != nil {
			return
		}
		// What was read can be told on, and is then read as the same.
		r.MTA, r.From, r.To = "mx.sohu.com", path(t, "postmaster@sohu.com"), path(t, "alice@sohu.com")
		out, needs := write(t, r, nil)
		checkShape(t, out, needs)
		again, err := dsn.Read(strings.NewReader(out))
		if err != nil || len(again.Recipients) > len(r.Recipients) {
			t.Fatalf("%v, %+v\n%s", err, again, out)
		}
	})
}
