package milter

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/transcript"
	"github.com/posthouse/posthouse/smtp"
)

// FuzzProgram: whatever a program says, the opinions are ones that can be told, and everything comes
// to its end.
func FuzzProgram(f *testing.F) {
	hello := "\x00\x00\x00\x0dO\x00\x00\x00\x06\x00\x00\x00\xff\x00\x00\x04\x00"
	goOn := "\x00\x00\x00\x01c"
	f.Add([]byte(hello + goOn + goOn + goOn + goOn + goOn + goOn + goOn + goOn + goOn + goOn + "\x00\x00\x00\x08hX-A\x00b\x00" + goOn))
	f.Add([]byte(hello + goOn + goOn + "\x00\x00\x00\x13y550 5.7.1 no %% x\x00"))
	f.Add([]byte(hello + goOn + goOn + goOn + goOn + goOn + goOn + goOn + goOn + goOn + goOn +
		"\x00\x00\x00\x0am\x00\x00\x00\x01A\x00b\x00\x00" + "\x00\x00\x00\x05babc\n" + "\x00\x00\x00\x07+<a@b>" + "\x00\x00\x00\x04e<>\x00" + "\x00\x00\x00\x03qx\x00" + "\x00\x00\x00\x01a"))
	f.Add([]byte(hello + "\xff\xff\xff\xffc"))
	from, err := smtp.ParseMailbox("li@sina.test")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		if len(said) > 1<<16 {
			return
		}
		m := New(Options{Name: "x", Failure: policy.Defer, BodySize: 1000, Connect: time.Minute, Dial: func(context.Context, string, string) (net.Conn, error) {
			a, b := transcript.Pipe(1 << 20)
			_, err := b.Write(said)
			_ = b.Close() // what was written can still be read
			return a, err
		}})
		defer m.Close()
		s := m.Open(nil)
		defer s.Close()
		v := &policy.Visit{Source: mail.Source{Client: netip.MustParseAddrPort("192.0.2.1:25"), Hello: "x"}, From: from}
		text, err := policy.ReadText(content(letter))
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range []policy.Opinion{
			s.Connect(t.Context(), v), s.Hello(t.Context(), v), s.Mail(t.Context(), v),
			s.Rcpt(t.Context(), v, &smtp.Rcpt{To: from}), s.Data(t.Context(), v, text),
		} {
			if o.Reply != nil && (!o.Reply.Code.Valid() || o.Reply.Code.Positive() || o.Reply.Text == "") {
				t.Errorf("a reply of %+v", o.Reply)
			}
			if o.Edits.Body != nil && o.Edits.Body.Size() > 2002 {
				t.Errorf("a body of %d octets", o.Edits.Body.Size())
			}
		}
	})
}
