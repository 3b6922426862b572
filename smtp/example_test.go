package smtp_test

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/posthouse/posthouse/smtp"
)

func ExampleGrammar_Parse() {
	grammar := smtp.Grammar{Offers: smtp.SetOf(smtp.ExtSize)}
	for _, line := range []string{
		"MAIL FROM:<anna@sohu.com> SIZE=1000",
		"MAIL FROM:<anna@sohu.com> RET=FULL",
		"RCPT TO:<>",
		"XYZZY",
	} {
		command, err := grammar.Parse([]byte(line))
		if err != nil {
			fmt.Println(err)
			continue
		}
		switch c := command.(type) {
		case smtp.Mail:
			fmt.Println("a mail from", c.From, "of", c.Params.Size, "octets")
		case smtp.Unknown:
			fmt.Println("nobody knows", c.Name)
		}
	}
	// Output:
	// a mail from anna@sohu.com of 1000 octets
	// 555 5.5.4 Parameter RET is not known or not offered here
	// 501 5.1.3 a recipient cannot be <>; syntax: RCPT TO:<forward-path> [parameters]
	// nobody knows XYZZY
}

func ExampleAppendCommand() {
	to, err := smtp.ParseMailbox("bob@sina.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	var lines []byte
	for _, c := range []smtp.Command{
		smtp.Hello{With: smtp.VerbEHLO, Domain: "sohu.com"},
		smtp.Mail{Params: smtp.MailParams{Size: 1000, Body: smtp.Body8Bit}},
		smtp.Rcpt{To: to, Params: smtp.RcptParams{Notify: smtp.NotifyNever}},
		smtp.Noop{Text: "a line\r\nRSET"},
	} {
		if lines, err = smtp.AppendCommand(lines, c); err != nil {
			fmt.Println("not sent:", err)
		}
	}
	fmt.Print(strings.ReplaceAll(string(lines), "\r\n", "\n"))
	// Output:
	// not sent: "NOOP a line\r\nRSET": control character in the command
	// EHLO sohu.com
	// MAIL FROM:<> SIZE=1000 BODY=8BITMIME
	// RCPT TO:<bob@sina.com> NOTIFY=NEVER
}

func ExampleReply() {
	refuse := func() error {
		return smtp.Replyf(smtp.CodeMailboxUnavailable, smtp.EnhancedCode{5, 1, 1}, "No such user\nTry postmaster")
	}
	var reply *smtp.Reply
	if err := refuse(); errors.As(err, &reply) {
		fmt.Println(err)
		fmt.Println(reply.Enhanced.Meaning())
		fmt.Printf("%q\n", reply.Append(nil, false))
	}
	// Output:
	// 550 5.1.1 No such user Try postmaster
	// Bad destination mailbox address
	// "550-5.1.1 No such user\r\n550 5.1.1 Try postmaster\r\n"
}

// A Reader takes lines, and then the text of a message, from the same stream.
func ExampleReader() {
	stream := "DATA\r\nSubject: dots\r\n\r\n..one\r\n.\r\nQUIT\r\n"
	r := smtp.NewReader(strings.NewReader(stream), nil)
	line, _ := r.Line(512)
	fmt.Printf("%s\n", line)
	text, err := io.ReadAll(r.Dot(smtp.TextLimits{}))
	fmt.Printf("%q %v\n", text, err)
	line, _ = r.Line(512)
	fmt.Printf("%s\n", line)
	// Output:
	// DATA
	// "Subject: dots\r\n\r\n.one\r\n" <nil>
	// QUIT
}

// A text with lines of any kind is sent as SMTP wants it.
func ExampleDotWriter() {
	var wire strings.Builder
	w := smtp.NewDotWriter(&wire)
	if _, err := io.Copy(w, smtp.NewLines(strings.NewReader("one\n.two\nthree"))); err != nil {
		fmt.Println(err)
	}
	if err := w.Close(); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%q\n", wire.String())
	// Output:
	// "one\r\n..two\r\nthree\r\n.\r\n"
}

func ExampleDialogue() {
	var d smtp.Dialogue
	fmt.Println(d.Permit(smtp.Mail{}))
	d.Done(smtp.Hello{With: smtp.VerbEHLO, Domain: "sohu.com"})
	fmt.Println(d.Permit(smtp.Mail{}) == nil)
	d.Done(smtp.Mail{})
	fmt.Println(d.Permit(smtp.Data{}))
	// Output:
	// 503 5.5.1 Say HELO or EHLO first
	// true
	// 503 5.5.1 Say RCPT first
}
