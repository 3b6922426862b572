package posttest_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/smtp"
	"net/textproto"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/posthouse/posthouse/posttest"
)

const welcome = "From: Shop <shop@example.org>\r\nTo: jane@example.org\r\nSubject: =?utf-8?q?Welcome,_J=C3=A4ne?=\r\n\r\n" +
	"Hello Jane,\r\nconfirm at https://shop.example/confirm?t=1\r\nor type the code 482913.\r\n"

// program is what is tested: it sends a mail.
func program(addr string, to ...string) error {
	return smtp.SendMail(addr, nil, "shop@example.org", to, []byte(welcome))
}

func Example() {
	var t *testing.T // of your test
	if t == nil {
		return
	}
	server := posttest.New(t)
	_ = program(server.Addr(), "jane@example.org")
	m := server.Wait(t, posttest.To("jane@example.org"), posttest.Subject("Welcome"))
	m.Contains(t, "Hello Jane")
	fmt.Println(m.Code(t), m.Link(t, "/confirm"))
}

func ExampleServer_Play() {
	var t *testing.T // of your test
	if t == nil {
		return
	}
	server := posttest.New(t)
	server.Play(t, posttest.Rule{On: posttest.Rcpt, Tries: "1", Reply: "450 4.2.0 Come back later"})
	fmt.Println(program(server.Addr(), "jane@example.org"))
}

func TestWait(t *testing.T) {
	server := posttest.New(t)
	if err := program(server.Addr(), "jane@example.org"); err != nil {
		t.Fatal(err)
	}
	m := server.Wait(t, posttest.To("jane@"), posttest.From("shop"), posttest.Subject("welcome, jäne"))
	m.Contains(t, "Hello Jane")
	m.TextIs(t, "Hello Jane,\nconfirm at https://shop.example/confirm?t=1\nor type the code 482913.")
	if m.Link(t, "/confirm") != "https://shop.example/confirm?t=1" || m.Code(t) != "482913" || m.Header("subject") != "Welcome, Jäne" {
		t.Errorf("%+v", m)
	}
	if m.From != "shop@example.org" || len(m.To) != 1 || m.TLS != "" || !strings.Contains(m.Transcript(), "S: 220 localhost") {
		t.Errorf("%+v\n%s", m, m.Transcript())
	}
	go func() { _ = program(server.Addr(), "joe@example.org") }()
	if later := server.WaitAfter(t, m); later.To[0] != "joe@example.org" {
		t.Errorf("%+v", later)
	}
	if all := server.Messages(t); len(all) != 2 || all[0].To[0] != "jane@example.org" {
		t.Errorf("%d messages", len(all))
	}
	server.None(t, posttest.To("nobody"))
	server.Clear()
	server.None(t)
}

// TestTLS: a client that trusts the pool is content.
func TestTLS(t *testing.T) {
	server := posttest.New(t, posttest.Options{StartTLS: true})
	c, err := smtp.Dial(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.StartTLS(&tls.Config{ServerName: "localhost", RootCAs: server.CertPool()}); err != nil {
		t.Fatal(err)
	}
	if err := c.Auth(smtp.PlainAuth("", "jane", "secret", "127.0.0.1")); err != nil && !strings.Contains(err.Error(), "host name") {
		t.Fatal(err)
	}
	server.Play(t, posttest.Rule{On: posttest.StartTLS, Certificate: "expired"})
	again, err := smtp.Dial(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if err := again.StartTLS(&tls.Config{ServerName: "localhost", RootCAs: server.CertPool()}); err == nil {
		t.Error("an expired certificate is believed")
	}
}

// TestScenarios: the program meets what is played, and the server behaves again after it.
func TestScenarios(t *testing.T) {
	server := posttest.New(t)
	server.Play(t, posttest.Rule{On: posttest.Rcpt, To: "jane@*", Tries: "1", Reply: "450 4.2.0 Come back later"})
	var refused *textproto.Error
	if err := send(server, "jane@example.org"); !errors.As(err, &refused) || refused.Code != 450 {
		t.Errorf("%v", err)
	}
	if err := send(server, "jane@example.org"); err != nil {
		t.Error(err)
	}
	server.PlayFile(t, "cut.hcl", []byte(`on "dot" { drop = true }`))
	if err := send(server, "joe@example.org"); err == nil {
		t.Error("no answer is taken for a yes")
	}
	server.Wait(t, posttest.To("joe"))
	server.Play(t)
	if err := send(server, "jim@example.org"); err != nil {
		t.Error(err)
	}
}

func send(s *posttest.Server, to string) error { return program(s.Addr(), to) }

// TestFailures: a test that does not find what it wants is ended, and told what there is.
func TestFailures(t *testing.T) {
	server := posttest.New(t, posttest.Options{Timeout: time.Millisecond})
	if err := program(server.Addr(), "jane@example.org"); err != nil {
		t.Fatal(err)
	}
	m := server.Messages(t)[0]
	for want, try := range map[string]func(t testing.TB){
		`no message to "joe" with the subject "x" came within 1ms; 1 have come:` + "\n  from shop@example.org to jane@example.org: \"Welcome, Jäne\"": func(t testing.TB) {
			server.Wait(t, posttest.To("joe"), posttest.Subject("x"))
		},
		"does not say \"Bye\"; it says:\n  Hello Jane,":         func(t testing.TB) { m.Contains(t, "Bye") },
		"    Hello Jane,\n  - goodbye\n  + confirm at https://": func(t testing.TB) { m.TextIs(t, "Hello Jane,\ngoodbye") },
		"has no link with \"/x\"; its links are:\n  https://":   func(t testing.TB) { m.Link(t, "/x") },
		`1 messages to "jane" came, and none was to come`:       func(t testing.TB) { server.None(t, posttest.To("jane")) },
		"rule 1: nothing happens":                               func(t testing.TB) { server.Play(t, posttest.Rule{On: posttest.Dot}) },
		"f.hcl:1:1":                                             func(t testing.TB) { server.PlayFile(t, "f.hcl", []byte(`on "x" {}`)) },
	} {
		if got := fails(t, try); !strings.Contains(got, want) {
			t.Errorf("told\n%s\nwant\n%s", got, want)
		}
	}
}

// failing is a test that notes how it was ended.
type failing struct {
	testing.TB
	told string
}

func (f *failing) Helper()                  {}
func (f *failing) Context() context.Context { return f.TB.Context() }

func (f *failing) Fatalf(format string, args ...any) {
	f.told = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func fails(t *testing.T, try func(t testing.TB)) string {
	t.Helper()
	f := &failing{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		try(f)
	}()
	<-done
	return f.told
}
