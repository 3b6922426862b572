package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"github.com/emersion/go-sasl"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// moody is a server for the scripts that refuses what it is asked to refuse:
// an address whose local part is a code, such as 550@example.org, gets that
// code; 554@text.example as the sender gets it at the end of the text. It lets
// "me" log in with the password "hush-hush-canary". "moody lmtp" speaks LMTP,
// where an address at late.example is refused at the end of the text; "moody parrot" lets
// nobody log in, and repeats what it was told; "moody oauth" and "moody xoauth2" want a token
// of idp.
func moody() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(l.Addr())
	server := &smtpserver.Server{Handler: moodyHandler{}, Hostname: "moody.example", PlaintextAuth: true, LMTP: len(os.Args) > 1 && os.Args[1] == "lmtp"}
	fmt.Fprintln(os.Stderr, server.Serve(l)) // until it is killed
}

type moodyHandler struct{}

func (moodyHandler) NewSession(context.Context, *smtpserver.Conn) (smtpserver.Session, error) {
	return moodySession{}, nil
}

type moodySession struct{}

func (moodySession) Mechanisms() []string {
	switch moodIs := append(os.Args, "")[1]; moodIs {
	case "oauth":
		return []string{sasl.OAuthBearer}
	case "xoauth2":
		return []string{"XOAUTH2"}
	}
	return []string{sasl.Plain, sasl.Login}
}

func (moodySession) Authenticate(_ context.Context, mechanism string) (smtpserver.SASL, error) {
	switch mechanism {
	case sasl.OAuthBearer:
		return bearerServer(), nil
	case "XOAUTH2":
		return xoauth2Server{}, nil
	}
	check := func(user, password string) error {
		switch {
		case len(os.Args) > 1 && os.Args[1] == "parrot":
			return smtp.Replyf(smtp.CodeBadCredentials, smtp.EnhancedCode{5, 7, 8}, "%s is not the password of %s", password, user)
		case user != "me" || password != "hush-hush-canary":
			return smtp.Replyf(smtp.CodeBadCredentials, smtp.EnhancedCode{5, 7, 8}, "No")
		}
		return nil
	}
	if mechanism == sasl.Login {
		return &loginServer{check: check}, nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// loginServer is AUTH LOGIN, for which go-sasl has no server.
type loginServer struct {
	said  []string
	check func(user, password string) error
}

func (s *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response != nil {
		s.said = append(s.said, string(response))
	}
	if len(s.said) < 2 {
		return []byte([]string{"Username:", "Password:"}[len(s.said)]), false, nil
	}
	return nil, true, s.check(s.said[0], s.said[1])
}

func (moodySession) Mail(_ context.Context, from smtp.Path, _ *smtp.MailParams) (smtpserver.Transaction, error) {
	if from.Domain() == "text.example" {
		return &moodyTransaction{atText: from}, nil
	}
	return &moodyTransaction{}, mood(from)
}

func (moodySession) Close() {}

type moodyTransaction struct {
	atText smtp.Path
	late   []error // for each recipient, what it gets at the end
}

func (t *moodyTransaction) Rcpt(_ context.Context, to smtp.Path, _ *smtp.RcptParams) (*smtp.Reply, error) {
	late := to.Domain() == "late.example"
	if !late && mood(to) != nil {
		return nil, mood(to)
	}
	t.late = append(t.late, mood(to))
	return nil, nil
}

func (t *moodyTransaction) Data(_ context.Context, body io.Reader) (*smtp.Reply, error) {
	if _, err := io.Copy(io.Discard, body); err != nil {
		return nil, err
	}
	return nil, mood(t.atText)
}

func (t *moodyTransaction) DataEach(_ context.Context, body io.Reader) ([]*smtp.Reply, error) {
	if _, err := io.Copy(io.Discard, body); err != nil {
		return nil, err
	}
	replies := make([]*smtp.Reply, len(t.late))
	for i, err := range t.late {
		errors.As(err, &replies[i])
	}
	return replies, nil
}

func (*moodyTransaction) Abort() {}

// mood returns the refusal that an address asks for.
func mood(p smtp.Path) error {
	code, err := strconv.Atoi(p.Local())
	if err != nil {
		return nil
	}
	return smtp.Replyf(smtp.Code(code), smtp.EnhancedCode{code / 100, 1, 1}, "As you wish")
}
