package send

import (
	"errors"
	"io"
	"strings"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpclient"
)

// plain tells an error of a connection to a person.
func plain(err error) string {
	var at *smtpclient.ConnectionError
	if !errors.As(err, &at) {
		return withoutEOF(err)
	}
	text := withoutEOF(at.Err)
	var unexpected *smtpclient.UnexpectedReplyError
	if at.Stage != smtp.VerbUnknown && !errors.As(at.Err, &unexpected) { // which names the verb itself
		text = stageName(at.Stage.String()) + ": " + text
	}
	if errors.Is(err, smtpclient.ErrUnknownOutcome) {
		text = smtpclient.ErrUnknownOutcome.Error() + ": " + text
	}
	return text
}

// withoutEOF says what it means that a connection is at its end.
func withoutEOF(err error) string {
	for _, end := range []error{io.ErrUnexpectedEOF, io.EOF} {
		if before, ok := strings.CutSuffix(err.Error(), end.Error()); ok && errors.Is(err, end) {
			return before + "the server closed the connection"
		}
	}
	return err.Error()
}

// stageName spells the stage "." out, which is easily overlooked.
func stageName(stage string) string {
	if stage == smtp.Dot.String() {
		return "end of the text"
	}
	return stage
}

// reason is what is wrong with an address: whoever reads it sees where.
func reason(err error) error {
	var parse *message.ParseError
	if errors.As(err, &parse) {
		return errors.New(parse.Reason)
	}
	return err
}
