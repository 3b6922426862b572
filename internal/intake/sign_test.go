package intake_test

import (
	"context"
	"crypto/ed25519"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/posthouse/posthouse/internal/authdns"
	"github.com/posthouse/posthouse/internal/dns/dnstest"
	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/intake"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool/memspool"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dkim"
	"github.com/posthouse/posthouse/smtp"
)

// TestWhatWeWriteIsSigned: mail of programs here and reports bear a signature that holds, if there
// is a key for the author's domain.
func TestWhatWeWriteIsSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
		record, err := senderauth.FormatKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		zone := authdns.Resolver{DNS: dnstest.New(t, "k._domainkey.sohu.example TXT "+record)}
		engine := memspool.New(memspool.Options{Random: &counter{}})
		desk := intake.New(intake.Options{
			Hostname: "mx.sohu.example", Spool: engine, Directory: people{},
			Keys: func(domain string, _ time.Time) []dkim.Key {
				if domain != "sohu.example" {
					return nil
				}
				return []dkim.Key{{Domain: domain, Selector: "k", Signer: key}}
			},
		})
		verdicts := func(id mail.ID) string {
			content, err := engine.Open(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			r, err := content.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			found, err := dkim.Verify(t.Context(), zone, r, dkim.VerifyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var words []string
			for _, f := range found {
				words = append(words, string(f.Verdict)+" "+f.Domain)
			}
			return strings.Join(words, ", ")
		}
		for text, want := range map[string]string{
			"From: ann@sohu.example\r\nSubject: hello\r\n\r\nhello\r\n":                    "pass sohu.example",
			"From: Ann <ann@SOHU.example>\r\n\r\n":                                         "pass sohu.example",
			"From: ann@sina.example\r\n\r\nhello\r\n":                                      "",
			"From: ann@sohu.example, eve@sina.example\r\n\r\nwhom would it speak for?\r\n": "",
			"From: ann@sohu.example\r\nFrom: eve@sina.example\r\n\r\ntwo of them\r\n":      "",
			"Subject: nobody\r\n\r\nhello\r\n":                                             "",
		} {
			done, err := desk.Submit(t.Context(), submission(strings.NewReader(text), "ann@sohu.example"))
			if err != nil {
				t.Fatal(err)
			}
			if got := verdicts(done.ID); got != want {
				t.Errorf("%q: %q, want %q", text, got, want)
			}
		}
		report := &dsn.Report{
			MTA: "mx.sohu.example", From: address("mailer-daemon@sohu.example"), To: address("ann@sohu.example"),
			Recipients: []dsn.Recipient{dsn.NewRecipient(
				mail.Recipient{To: address("bob@sina.example")},
				mail.Outcome{Fate: mail.Failed, Reply: smtp.Replyf(550, smtp.EnhancedCode{5, 1, 1}, "no such user")}, mail.ReportFailed,
			)},
		}
		draft, commit, err := desk.Prepare(t.Context(), report, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := draft.Commit(context.Background(), commit); err != nil {
			t.Fatal(err)
		}
		if got := verdicts(draft.ID()); got != "pass sohu.example" {
			t.Errorf("the report: %q", got)
		}
	})
}
