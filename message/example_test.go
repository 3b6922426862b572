package message_test

import (
	"fmt"
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
