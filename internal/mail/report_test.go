package mail_test

import (
	"testing"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// TestOwes is the whole of RFC 3461, 5.2: a row for each NOTIFY, a column for
// each outcome. "relayed" is to a host without DSN, "forwarded" to one with it,
// "traced" is relayed to one with it under a by-trace.
func TestOwes(t *testing.T) {
	columns := []struct {
		name    string
		outcome mail.Outcome
		trace   bool
	}{
		{"delivered", mail.Outcome{Fate: mail.Delivered}, false},
		{"relayed", mail.Outcome{Fate: mail.Relayed}, false},
		{"forwarded", mail.Outcome{Fate: mail.Relayed, Forwarded: true}, false},
		{"traced", mail.Outcome{Fate: mail.Relayed, Forwarded: true}, true},
		{"deferred", mail.Outcome{Fate: mail.Deferred}, false},
		{"failed", mail.Outcome{Fate: mail.Failed}, false},
		{"expired", mail.Outcome{Fate: mail.Expired}, false},
		{"discarded", mail.Outcome{Fate: mail.Discarded}, false},
		{"removed", mail.Outcome{Fate: mail.Removed}, false},
	}
	const s, f, d = smtp.NotifySuccess, smtp.NotifyFailure, smtp.NotifyDelay
	rows := []struct {
		notify smtp.Notify
		want   [9]string
	}{
		{0, [9]string{"", "", "", "relayed", "delayed", "failed", "failed", "", ""}},
		{smtp.NotifyNever, [9]string{}},
		{s, [9]string{"delivered", "relayed", "", "relayed", "", "", "", "", ""}},
		{f, [9]string{"", "", "", "relayed", "", "failed", "failed", "", ""}},
		{d, [9]string{"", "", "", "relayed", "delayed", "", "", "", ""}},
		{s | f, [9]string{"delivered", "relayed", "", "relayed", "", "failed", "failed", "", ""}},
		{s | d, [9]string{"delivered", "relayed", "", "relayed", "delayed", "", "", "", ""}},
		{f | d, [9]string{"", "", "", "relayed", "delayed", "failed", "failed", "", ""}},
		{s | f | d, [9]string{"delivered", "relayed", "", "relayed", "delayed", "failed", "failed", "", ""}},
	}
	for _, row := range rows {
		for i, c := range columns {
			if got := c.outcome.Owes(row.notify, c.trace).String(); got != row.want[i] {
				t.Errorf("NOTIFY=%s, %s: %q, want %q", row.notify, c.name, got, row.want[i])
			}
		}
	}
}
