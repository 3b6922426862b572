package dsn_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/dsn"
	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// A report of a failure, as the desk makes it of an outcome, and what a program
// finds in it.
func Example() {
	mailbox := func(s string) smtp.Path {
		p, _ := smtp.ParseMailbox(s)
		return p
	}
	bob := mail.Recipient{To: mailbox("bob@sina.com"), Notify: smtp.NotifyFailure}
	outcome := mail.Outcome{
		Fate: mail.Failed, Host: "mx.sina.com", At: time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC),
		Reply: smtp.Replyf(552, smtp.EnhancedCode{5, 2, 2}, "mailbox full"),
	}
	action := outcome.Owes(bob.Notify, false)
	if action == 0 {
		return // the sender does not want to know
	}
	r := &dsn.Report{
		MTA: "mx.sohu.com", From: mailbox("postmaster@sohu.com"), To: mailbox("alice@sohu.com"),
		Recipients: []dsn.Recipient{dsn.NewRecipient(bob, outcome, action)},
	}
	var text strings.Builder
	needs, err := dsn.Write(&text, r, nil)
	fmt.Println(needs.Body, err)

	found, err := dsn.Read(strings.NewReader(text.String()))
	to := found.Recipients[0]
	fmt.Println(to.Final.Addr, to.Action, to.Status, to.Remote, err)
	// Output:
	// 7BIT <nil>
	// bob@sina.com failed 5.2.2 mx.sina.com <nil>
}
