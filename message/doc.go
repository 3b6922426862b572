// Package message composes and reads Internet mail messages (RFC 5322 and
// MIME), without ever holding a whole body in memory. It is for programs that
// write mail, and for those that carry it and must look at it on the way. It does
// not help to display mail: it gives no access to the parts of a MIME message.
//
// To compose, fill in a [Message] and write it out; every field is checked
// before the first byte is written, and no value can end its field and begin
// another:
//
//	m := message.Message{
//		From:    []message.Address{{Name: "Zhang Wei", Addr: "zhangwei@sohu.com"}},
//		To:      message.AddressList{message.Address{Addr: "wangfang@sina.com"}},
//		Subject: "你好",
//		Text:    "Hello.\n",
//	}
//	_, err := m.WriteTo(w)
//
// To read, take the header fields one by one from a [HeaderReader]; each keeps
// its bytes exactly as they came, and the body goes on at the next byte.
// [ParseAddressList] reads addresses as people and programs really write them.
//
// To carry, an [Inspector] finds what a message needs of the server that it is
// sent to (for 8-bit bytes, UTF-8 header fields, long lines), [Encode7Bit] makes
// an 8-bit message fit for a server that takes only 7 bits, and [Received] and
// [ReturnPath] print the trace fields that a server adds.
//
// Line ends in what the package writes are CRLF. Dots at the beginning of a
// line are not doubled: that belongs to the transport.
package message
