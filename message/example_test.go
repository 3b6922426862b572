package message_test

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/posthouse/posthouse/message"
)

// The smallest message: who, to whom, when, what about, an empty line, and a
// body that ends with CRLF. (Without a MessageID one would be made.)
func Example() {
	m := message.Message{
		From:      []message.Address{{Addr: "zhangwei@sohu.com"}},
		To:        message.AddressList{message.Address{Addr: "wangfang@sina.com"}},
		Date:      time.Date(2009, time.June, 1, 9, 30, 0, 0, time.FixedZone("", 8*60*60)),
		Subject:   "test",
		MessageID: "<1@sohu.com>",
		Text:      "This is a test.",
	}
	var b strings.Builder
	if _, err := m.WriteTo(&b); err != nil {
		fmt.Println(err)
	}
	fmt.Print(strings.ReplaceAll(b.String(), "\r\n", "\n"))
	// Output:
	// From: zhangwei@sohu.com
	// To: wangfang@sina.com
	// Date: Mon, 01 Jun 2009 09:30:00 +0800
	// Subject: test
	// Message-ID: <1@sohu.com>
	//
	// This is a test.
}

func ExampleMessage_attachments() {
	m := message.Message{
		From:    []message.Address{{Name: "Jörg Müller", Addr: "jm@example.org"}},
		To:      message.AddressList{message.Group{Name: "Team", Members: []message.Address{{Addr: "a@example.org"}}}},
		Bcc:     message.AddressList{message.Address{Addr: "boss@example.org"}},
		Subject: "Grüße",
		Text:    "See the picture.",
		HTML:    `<p>See <img src="cid:plan@example.org"></p>`,
		Attachments: []message.Attachment{
			{Name: "plan.png", ContentID: "plan@example.org", Open: message.File("plan.png").Open},
		},
	}
	fmt.Println(m.Recipients())
	if _, err := m.WriteTo(&strings.Builder{}); os.IsNotExist(err) {
		fmt.Println("no plan yet")
	} else {
		fmt.Println(strings.SplitN(err.Error(), ":", 3)[1])
	}
	// Output:
	// [a@example.org boss@example.org]
	//  attachment "plan.png"
}

// The header of a message, with encoded words decoded, and then its body.
func ExampleHeaderReader() {
	mail := strings.NewReader("From: =?utf-8?q?J=C3=B6rg?= <jm@example.org>\r\n" +
		"Subject: a long\r\n story\r\n\r\nOnce upon a time.\r\n")
	h := message.NewHeaderReader(mail, message.HeaderLimits{})
	for {
		field, err := h.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s is %q\n", field.Name(), field.Text())
	}
	body, _ := io.ReadAll(h.Body())
	fmt.Printf("%q\n", body)
	// Output:
	// From is "Jörg <jm@example.org>"
	// Subject is "a long story"
	// "Once upon a time.\r\n"
}

// What can be read is in the list, even if the error tells of something that
// cannot.
func ExampleParseAddressList() {
	list, err := message.ParseAddressList(`Jo Smith <jo@example.org>, nobody, team: a@example.org, b@example.org;`)
	for _, a := range list.Addresses() {
		fmt.Printf("%q %s\n", a.Name, a.Addr)
	}
	fmt.Println(err)
	// Output:
	// "Jo Smith" jo@example.org
	// "" a@example.org
	// "" b@example.org
	// message: byte 27: no @ in an address
}

// The trace that a server puts before a message that it takes in.
func ExampleReceived() {
	trace := message.Received{
		Helo: "mail.sohu.example",
		Addr: netip.MustParseAddr("192.0.2.7"),
		By:   "mx.sina.example",
		With: message.Protocol{Extended: true, TLS: true}.String(),
		ID:   "BCWG3UURC5XT",
		Date: time.Date(2009, time.June, 1, 9, 30, 0, 0, time.UTC),
	}
	fmt.Print(strings.ReplaceAll(trace.String(), "\r\n", "\n"))
	// Output:
	// Received: from mail.sohu.example ([192.0.2.7]) by mx.sina.example
	//  with ESMTPS id BCWG3UURC5XT; Mon, 01 Jun 2009 09:30:00 +0000
}
