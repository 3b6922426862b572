package smtpserver

import (
	"bytes"
	"encoding/base64"
	"errors"
	"log/slog"
	"slices"

	"github.com/posthouse/posthouse/smtp"
)

// plaintext are the mechanisms that show a password, or what is as good as
// one, to whoever listens.
var plaintext = []string{"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"}

// maxAuthRounds bounds an exchange; the longest known one takes four.
const maxAuthRounds = 16

// mechanisms returns those that are offered now.
func (c *Conn) mechanisms() []string {
	a, ok := c.session.(Authenticator)
	if !ok || c.server.RequireTLS && c.tls == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(a.Mechanisms()), c.showsPassword)
}

func (c *Conn) showsPassword(mechanism string) bool {
	return c.tls == nil && !c.server.PlaintextAuth && slices.Contains(plaintext, mechanism)
}

// auth lets the client log in (RFC 4954, 4).
func (c *Conn) auth(cmd smtp.Auth) {
	a := c.session.(Authenticator) // else AUTH would not have been understood
	switch {
	case !slices.Contains(a.Mechanisms(), cmd.Mechanism):
		c.refuse(smtp.VerbAUTH, smtp.Replyf(smtp.CodeParamNotImplemented, smtp.EnhancedCode{5, 5, 4}, "Mechanism %s is not offered here", cmd.Mechanism))
		return
	case c.showsPassword(cmd.Mechanism):
		c.refuse(smtp.VerbAUTH, smtp.Replyf(smtp.CodeEncryptionRequired, smtp.EnhancedCode{5, 7, 11}, "Mechanism %s needs TLS", cmd.Mechanism))
		return
	}
	switch err := c.exchange(a, cmd); {
	case err == errEnded:
	case err != nil:
		c.notAuthenticated(cmd.Mechanism, err)
	default:
		c.mechanism = cmd.Mechanism
		c.dialogue.Done(cmd)
		c.reply(smtp.VerbAUTH, &smtp.Reply{Code: smtp.CodeAuthenticated, Enhanced: smtp.EnhancedCode{2, 7, 0}, Text: "Authentication succeeded"})
	}
}

// errEnded says that the session came to its end in an exchange.
var errEnded = errors.New("session ended")

// exchange goes through a SASL exchange. Without an error the client is who it
// says.
func (c *Conn) exchange(a Authenticator, cmd smtp.Auth) error {
	sasl, err := a.Authenticate(c.ctx, cmd.Mechanism)
	if err != nil {
		return c.asReply(err)
	}
	response := cmd.Initial
	if cmd.HasInitial && response == nil {
		response = []byte{}
	}
	for range maxAuthRounds {
		challenge, done, err := sasl.Next(response)
		if err != nil || done && len(challenge) == 0 {
			return err
		}
		c.reply(smtp.VerbAUTH, &smtp.Reply{Code: smtp.CodeChallenge, Text: base64.StdEncoding.EncodeToString(challenge)})
		if response, err = c.response(); err != nil {
			return err
		}
		if done && len(response) > 0 {
			return smtp.Replyf(smtp.CodeSyntax, smtp.EnhancedCode{5, 5, 2}, "The exchange was over; an empty line was due")
		}
		if done {
			return nil
		}
	}
	return smtp.Replyf(smtp.CodeSyntax, smtp.EnhancedCode{5, 7, 0}, "The exchange is too long")
}

// response reads one response of the client.
func (c *Conn) response() ([]byte, error) {
	line, err := c.await()
	switch {
	case errors.Is(err, smtp.ErrLineTooLong):
		return nil, smtp.Replyf(smtp.CodeUnrecognized, smtp.EnhancedCode{5, 5, 6}, "Authentication exchange line is too long")
	case errors.Is(err, smtp.ErrBareCR), errors.Is(err, smtp.ErrBareLF):
		return nil, smtp.Replyf(smtp.CodeSyntax, smtp.EnhancedCode{5, 5, 2}, "%v in the response", err)
	case err != nil:
		c.unread(err)
		return nil, errEnded
	}
	c.traceInSecret()
	if bytes.Equal(line, []byte("*")) {
		return nil, smtp.Replyf(smtp.CodeSyntax, smtp.EnhancedCode{5, 7, 0}, "Authentication was cancelled")
	}
	response, err := smtp.DecodeSASL(line)
	if err != nil {
		return nil, smtp.Replyf(smtp.CodeSyntax, smtp.EnhancedCode{5, 5, 2}, "The response is not base64")
	}
	return response, nil
}

// notAuthenticated tells the client that it is not let in.
func (c *Conn) notAuthenticated(mechanism string, err error) {
	r := refusal(err)
	if r == nil {
		r = &smtp.Reply{Code: smtp.CodeBadCredentials, Enhanced: smtp.EnhancedCode{5, 7, 8}, Text: "Authentication credentials invalid"}
	}
	// The error itself may quote what the client said.
	c.log(slog.LevelInfo, "authentication failed", "mechanism", mechanism, "reply", r.Error())
	c.refuse(smtp.VerbAUTH, r)
}
