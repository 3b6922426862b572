// Package message composes Internet mail messages (RFC 5322 and
// MIME), without ever holding a whole body in memory. It is for programs that
// write mail, and for those that carry it and must look at it on the way. It
// does not display mail: there is no HTML and no picture of the MIME tree here.
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
// Line ends in what the package writes are CRLF. Dots at the beginning of a
// line are not doubled: that belongs to the transport.
package message
