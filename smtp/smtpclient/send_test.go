package smtpclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// TestOutcomes: what a server says at each stage, and what that means for each
// recipient, for the error, and for the next message on the connection.
func TestOutcomes(t *testing.T) {
	const a, b = "RCPT TO:<a@b.test>", "RCPT TO:<b@b.test>"
	for _, c := range []struct {
		name    string
		replies map[string]string
		want    string // fates of a and b
		texts   int    // that the server got to the end
		dead    bool
	}{
		{"all well", nil, "accepted 250 . | accepted 250 .", 1, false},
		{"251", map[string]string{a: "251 will forward\r\n"}, "accepted 250 . | accepted 250 .", 1, false},
		{"unknown 2yz", map[string]string{".": "259 fine\r\n"}, "accepted 259 . | accepted 259 .", 1, false},
		{"one refused", map[string]string{a: "550 5.1.1 no\r\n"}, "permanent 550 RCPT | accepted 250 .", 1, false},
		{"one deferred", map[string]string{b: "452 4.5.3 many\r\n"}, "accepted 250 . | temporary 452 RCPT", 1, false},
		{"unknown 5yz", map[string]string{b: "599 odd\r\n"}, "accepted 250 . | permanent 599 RCPT", 1, false},
		{"refusal of another verb", map[string]string{b: "535 odd\r\n"}, "accepted 250 . | permanent 535 RCPT", 1, false},
		{"all refused, DATA too", map[string]string{"RCPT": "550 no\r\n", "DATA": "554 no\r\n"}, "permanent 550 RCPT | permanent 550 RCPT", 0, false},
		{"all refused, but 354", map[string]string{"RCPT": "550 no\r\n"}, "permanent 550 RCPT | permanent 550 RCPT", 1, false},
		{"sender refused", map[string]string{"MAIL": "553 no\r\n", "RCPT": "503 no\r\n", "DATA": "503 no\r\n"}, "permanent 553 MAIL | permanent 553 MAIL", 0, false},
		{"sender refused, but 354", map[string]string{"MAIL": "451 no\r\n"}, "temporary 451 MAIL | temporary 451 MAIL", 1, false},
		{"DATA refused", map[string]string{"DATA": "451 no\r\n"}, "temporary 451 DATA | temporary 451 DATA", 0, false},
		{"text refused", map[string]string{".": "554 5.6.0 no\r\n"}, "permanent 554 . | permanent 554 .", 1, false},
		{"text deferred in lines", map[string]string{".": "451-one\r\n451 two\r\n"}, "temporary 451 . | temporary 451 .", 1, false},
		{"421 to MAIL", map[string]string{"MAIL": "421 bye\r\n"}, "temporary 421 MAIL | temporary 421 MAIL", 0, true},
		{"421 to RCPT", map[string]string{b: "421 bye\r\n"}, "temporary 421 RCPT | temporary 421 RCPT", 0, true},
		{"421 to DATA", map[string]string{"DATA": "421 bye\r\n"}, "temporary 421 DATA | temporary 421 DATA", 0, true},
		{"421 to the text", map[string]string{".": "421 bye\r\n"}, "temporary 421 . | temporary 421 .", 1, true},
		{"250 to DATA", map[string]string{"DATA": "250 what\r\n"}, "temporary DATA | temporary DATA", 0, true},
		{"354 to MAIL", map[string]string{"MAIL": "354 what\r\n"}, "temporary MAIL | temporary MAIL", 0, true},
		{"354 to the text", map[string]string{".": "354 what\r\n"}, "unknown . | unknown .", 1, true},
		{"220 to the text", map[string]string{".": "220 what\r\n"}, "unknown . | unknown .", 1, true},
		{"353 without PRDR", map[string]string{".": "353 what\r\n"}, "unknown . | unknown .", 1, true},
		{"garbage to RCPT", map[string]string{a: "what?\r\n"}, "temporary RCPT | temporary RCPT", 0, true},
		{"garbage to the text", map[string]string{".": "what?\r\n"}, "unknown . | unknown .", 1, true},
		{"codes that differ", map[string]string{".": "250-one\r\n251 two\r\n"}, "unknown . | unknown .", 1, true},
		{"endless lines", map[string]string{"MAIL": strings.Repeat("250-x\r\n", 1000)}, "temporary MAIL | temporary MAIL", 0, true},
		{"endless line", map[string]string{"MAIL": "250 " + strings.Repeat("x", 50000)}, "temporary MAIL | temporary MAIL", 0, true},
		{"gone at MAIL", map[string]string{"MAIL": ""}, "temporary MAIL | temporary MAIL", 0, true},
		{"gone at the second RCPT", map[string]string{a: "550 no\r\n", b: ""}, "permanent 550 RCPT | temporary RCPT", 0, true},
		{"gone at DATA", map[string]string{"DATA": ""}, "temporary DATA | temporary DATA", 0, true},
		{"gone at the text", map[string]string{a: "550 no\r\n", ".": ""}, "permanent 550 RCPT | unknown .", 1, true},
	} {
		for _, offers := range [][]string{nil, everything} {
			t.Run(fmt.Sprintf("%s/%d", c.name, len(offers)), func(t *testing.T) {
				s := &fake{offers: offers, replies: c.replies}
				connect(t, nil, s, func(ctx context.Context, conn *smtpclient.Conn) {
					res, err := conn.Send(ctx, envelope(t, "a@b.test", "b@b.test"), smtpclient.Bytes([]byte(hello)))
					if got := fates(res); got != c.want {
						t.Errorf("fates %q, want %q", got, c.want)
					}
					if (err != nil) != c.dead || (conn.Err() != nil) != c.dead {
						t.Errorf("error %v, Err %v, want dead %v", err, conn.Err(), c.dead)
					}
					if offers == nil && strings.HasSuffix(c.name, "but 354") {
						return // DATA is not said then
					}
					if len(s.text) != c.texts {
						t.Errorf("the server got %d texts, want %d", len(s.text), c.texts)
					}
				})
			})
		}
	}
}

// TestNothingForNobody: a 354 that came though nobody is there to receive the
// message is answered by an empty text (RFC 2920, 3.1).
func TestNothingForNobody(t *testing.T) {
	s := &fake{offers: everything, replies: map[string]string{"RCPT": "550 no\r\n"}}
	connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
		res, err := c.Send(ctx, envelope(t, "a@b.test"), smtpclient.Bytes([]byte(hello)))
		if err != nil || fates(res) != "permanent 550 RCPT" || !slices.Equal(s.text, []string{""}) {
			t.Errorf("error %v, fates %q, texts %q", err, fates(res), s.text)
		}
	})
}

// TestNextMessage: a message that came to nothing leaves a transaction open,
// which RSET ends before the next one; and the next one is sent.
func TestNextMessage(t *testing.T) {
	for _, offers := range [][]string{nil, everything} {
		s := &fake{offers: offers, replies: map[string]string{"RCPT TO:<no@b.test>": "550 no\r\n", "DATA": "354 go\r\n"}}
		connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
			for _, to := range []string{"no@b.test", "yes@b.test", "yes@b.test"} {
				if _, err := c.Send(ctx, envelope(t, to), smtpclient.Bytes([]byte(hello))); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Quit(ctx); err != nil {
				t.Error(err)
			}
		})
		want := "EHLO MAIL RCPT DATA MAIL RCPT DATA MAIL RCPT DATA QUIT"
		if offers == nil {
			want = "EHLO MAIL RCPT RSET MAIL RCPT DATA MAIL RCPT DATA QUIT"
		}
		if got := words(s.lines); got != want {
			t.Errorf("the server heard\n%s, want\n%s", got, want)
		}
	}
}

func words(lines []string) string {
	var all []string
	for _, l := range lines {
		word, _, _ := strings.Cut(l, " ")
		all = append(all, word)
	}
	return strings.Join(all, " ")
}

// TestFailedQuit: what is said to QUIT changes nothing for the message.
func TestFailedQuit(t *testing.T) {
	for _, reply := range []string{"", "500 what\r\n", "garbage\r\n"} {
		s := &fake{replies: map[string]string{"QUIT": reply}}
		connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
			res, err := c.Send(ctx, envelope(t, "a@b.test"), smtpclient.Bytes([]byte(hello)))
			if err != nil || !res.Accepted() {
				t.Fatal(err, fates(res))
			}
			if err := c.Quit(ctx); err == nil {
				t.Errorf("%q: no error", reply)
			}
			if !res.Accepted() {
				t.Error("QUIT undid a success")
			}
		})
	}
}

// TestUnexpected: the error of a wrong reply names verb, expected and received.
func TestUnexpected(t *testing.T) {
	s := &fake{replies: map[string]string{"DATA": "250 what\r\n", "NOOP": "535 odd\r\n"}}
	connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
		_, err := c.Send(ctx, envelope(t, "a@b.test"), smtpclient.Bytes([]byte(hello)))
		var u *smtpclient.UnexpectedReplyError
		if !errors.As(err, &u) || u.Verb != smtp.VerbDATA || !slices.Contains(u.Want, 354) || u.Got.Code != 250 {
			t.Errorf("error %v", err)
		}
	})
}

// TestEarlyReplies: what a server accepts before it has heard it is not accepted, at
// whatever point it begins to talk ahead; what it refuses so is refused.
func TestEarlyReplies(t *testing.T) {
	for _, c := range []struct {
		at, says string
		offers   []string
		early    bool
	}{
		{at: "EHLO", says: "250 mx.test\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 taken\r\n", early: true},
		{at: "MAIL", says: "250 ok\r\n250 ok\r\n", early: true},
		{at: "RCPT", says: "250 ok\r\n354 go on\r\n", early: true},
		{at: "DATA", says: "354 go on\r\n250 taken\r\n", early: true},
		{at: "DATA", says: "354 go on\r\n250 taken\r\n", offers: []string{"PIPELINING"}, early: true},
		{at: "RCPT", says: "250 ok\r\n250 taken\r\n", offers: []string{"CHUNKING"}, early: true},
		{at: "MAIL", says: "250 ok\r\n550 not you\r\n"},
		{at: "DATA", says: "354 go on\r\n554 not that\r\n"},
		{at: "RCPT", says: "250 ok\r\n421 I go\r\n"},
	} {
		s := &fake{offers: c.offers, replies: map[string]string{c.at: c.says}}
		connect(t, nil, s, func(ctx context.Context, conn *smtpclient.Conn) {
			res, _ := conn.Send(ctx, envelope(t, "a@b.test"), smtpclient.Bytes([]byte(hello)))
			if res.Accepted() {
				t.Errorf("%s %q: the message was taken before it was sent", c.at, c.says)
			}
			if early := errors.Is(conn.Err(), smtpclient.ErrEarlyReply); early != c.early {
				t.Errorf("%s %q: the connection ended with %v", c.at, c.says, conn.Err())
			}
		})
	}
}

// body is read from a reader each time; it may fail.
type body struct {
	text string
	size int64
	fail error
}

func (b body) Size() int64 { return b.size }

func (b body) Open() (io.ReadCloser, error) {
	var r io.Reader = strings.NewReader(b.text)
	if b.fail != nil {
		r = io.MultiReader(r, failing{b.fail})
	}
	return io.NopCloser(r), nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestBodies: texts short and long, of known and unknown size, arrive with
// their dots doubled and a last CRLF.
func TestBodies(t *testing.T) {
	long := "Subject: long\r\n\r\n" + strings.Repeat(".a line of text that begins with a dot\r\n", 5000)
	for _, text := range []string{"", "x", hello, long, long + "no end"} {
		for _, b := range []smtpclient.Body{smtpclient.Bytes([]byte(text)), body{text: text, size: int64(len(text))}, body{text: text, size: -1}} {
			for _, told := range []smtp.Body{"", smtp.Body7Bit} {
				s := &fake{offers: everything}
				connect(t, nil, s, func(ctx context.Context, c *smtpclient.Conn) {
					env := envelope(t, "a@b.test")
					env.Mail.Body = told
					res, err := c.Send(ctx, env, b)
					if err != nil || !res.Accepted() {
						t.Fatal(err, fates(res))
					}
				})
				want := strings.ReplaceAll("\r\n"+text, "\r\n.", "\r\n..")[2:]
				if want != "" && !strings.HasSuffix(want, "\r\n") {
					want += "\r\n"
				}
				if len(s.text) != 1 || s.text[0] != want {
					t.Errorf("%T of %d octets, told %q: arrived with %d octets, want %d", b, len(text), told, len(s.text[0]), len(want))
				}
			}
		}
	}
}

// TestBadBodies: a text that cannot be read or sent is refused here, and never
// comes to its end over there.
func TestBadBodies(t *testing.T) {
	disk := errors.New("disk on fire")
	long := strings.Repeat("line\r\n", 20000)
	for _, c := range []struct {
		name string
		body smtpclient.Body
		told smtp.Body
		want string
		is   error
		dead bool
	}{
		{"bare LF", smtpclient.Bytes([]byte("a\nb")), "", "permanent 554 local MAIL", smtp.ErrBareLF, false},
		{"bare CR, told 7-bit", smtpclient.Bytes([]byte("a\rb")), smtp.Body7Bit, "permanent 554 local MAIL", smtp.ErrBareCR, false},
		{"long, bare LF", body{text: long + "\n.\n", size: -1}, "", "permanent 554 local MAIL", smtp.ErrBareLF, false},
		{"long, bare LF, told 7-bit", body{text: long + "\n.\n", size: -1}, smtp.Body7Bit, "permanent 554 local DATA", smtp.ErrBareLF, true},
		{"cannot be read", body{text: hello, size: 100, fail: disk}, "", "temporary 451 local MAIL", disk, false},
		{"cannot be read to its end", body{text: long, size: -1, fail: disk}, smtp.Body7Bit, "temporary 451 local DATA", disk, true},
		{"cut short", body{text: hello, size: 100, fail: io.ErrUnexpectedEOF}, "", "temporary 451 local MAIL", io.ErrUnexpectedEOF, false},
		{"long, cut short", body{text: long, size: -1, fail: io.ErrUnexpectedEOF}, "", "temporary 451 local MAIL", io.ErrUnexpectedEOF, false},
		{"longer than it says", body{text: hello, size: 3}, "", "temporary 451 local MAIL", nil, false},
		{"shorter than it says", body{text: hello, size: 300}, "", "temporary 451 local MAIL", nil, false},
		{"long, longer than it says", body{text: long, size: 100000}, "", "temporary 451 local MAIL", nil, false},
		{"long, shorter than it says", body{text: long, size: 200000}, smtp.Body7Bit, "temporary 451 local DATA", nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &fake{offers: everything}
			connect(t, nil, s, func(ctx context.Context, conn *smtpclient.Conn) {
				env := envelope(t, "a@b.test")
				env.Mail.Body = c.told
				res, err := conn.Send(ctx, env, c.body)
				if fates(res) != c.want || (err != nil) != c.dead || c.is != nil && !errors.Is(res.Recipients[0].Err, c.is) {
					t.Errorf("fates %q, outcome %v, error %v", fates(res), res.Recipients[0].Err, err)
				}
			})
			if len(s.text) != 0 {
				t.Errorf("the server got %q", s.text)
			}
		})
	}
}

// TestLongEncoded: a long 8-bit text for a server that takes 7 bits is encoded
// while it is sent; one that has no 7-bit form never comes to its end.
func TestLongEncoded(t *testing.T) {
	long := strings.Replace(eightBit, "\r\n\r\n", "\r\n\r\n"+strings.Repeat("gr\xc3\xbc\xc3\x9fe\r\n", 20000), 1)
	for _, c := range []struct {
		text string
		want string
		dead bool
	}{
		{long, "accepted 250 .", false},
		{strings.Replace(long, ": 8bit", ": x-unknown", 1), "permanent 554 local DATA", true},
	} {
		s := &fake{}
		connect(t, nil, s, func(ctx context.Context, conn *smtpclient.Conn) {
			res, err := conn.Send(ctx, envelope(t, "a@b.test"), body{text: c.text, size: int64(len(c.text))})
			if fates(res) != c.want || (err != nil) != c.dead || !res.Encoded {
				t.Errorf("fates %q, want %q; error %v", fates(res), c.want, err)
			}
		})
		for _, text := range s.text {
			if strings.Count(text, "gr=C3=BC=C3=9Fe\r\n") != 20001 || c.dead {
				t.Errorf("arrived with %d octets: %.300q", len(text), text)
			}
		}
	}
}

// TestUntoldSize: a text whose size nobody tells is counted while it is looked
// at, and held against SIZE before any of it is sent.
func TestUntoldSize(t *testing.T) {
	s := &fake{offers: []string{"PIPELINING", "SIZE 100000"}}
	connect(t, plain(nil), s, func(ctx context.Context, c *smtpclient.Conn) {
		long := body{text: "Subject: long\r\n\r\n" + strings.Repeat("x\r\n", 50000), size: -1}
		res, err := c.Send(ctx, envelope(t, "r@b.test"), long)
		o := &res.Recipients[0]
		if err != nil || o.Fate() != smtpclient.Permanent || o.Reply.Code != 552 || !o.Local {
			t.Errorf("a text that is too long: %v, %v", err, o)
		}
		res, err = c.Send(ctx, envelope(t, "r@b.test"), body{text: "Subject: short\r\n\r\nx\r\n", size: -1})
		if err != nil || !res.Accepted() {
			t.Errorf("a text that is not: %v, %v", err, res)
		}
	})
}
