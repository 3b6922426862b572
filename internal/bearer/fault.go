package bearer

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/oauth2"
)

// Fault is why there is no token.
type Fault struct {
	// Refused: the provider has said no, or nobody has logged in yet. Nothing changes
	// until a person acts. Otherwise it may pass.
	Refused bool
	Text    string // one line, without any token
}

func (f *Fault) Error() string { return f.Text }

// err is an error that is nil if f is.
func (f *Fault) err() error {
	if f == nil {
		return nil
	}
	return f
}

// refused and passing make faults.
func refused(format string, args ...any) *Fault {
	return &Fault{Refused: true, Text: line(fmt.Sprintf(format, args...))}
}

func passing(format string, args ...any) *Fault {
	return &Fault{Text: line(fmt.Sprintf(format, args...))}
}

// verdicts are the errors by which a provider says no (RFC 6749, 5.2 and 4.1.2.1; RFC
// 8628, 3.5). Others are its own trouble.
var verdicts = map[string]bool{
	"invalid_request": true, "invalid_client": true, "invalid_grant": true, "unauthorized_client": true,
	"unsupported_grant_type": true, "invalid_scope": true, "access_denied": true, "expired_token": true,
	"interaction_required": true, "consent_required": true, "login_required": true,
}

// faultOf makes a fault of an error of a request. What the provider answered is not
// repeated but for its error and the description of it: it may hold tokens.
func faultOf(err error) *Fault {
	var answer *oauth2.RetrieveError
	var at *url.Error
	var f *Fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &answer) && verdicts[answer.ErrorCode]:
		return refused("the provider says %s%s", answer.ErrorCode, described(answer))
	case errors.As(err, &answer) && answer.ErrorCode != "":
		return passing("the provider says %s%s", answer.ErrorCode, described(answer))
	case errors.As(err, &answer):
		return passing("the provider answers %s", answer.Response.Status)
	case errors.Is(err, context.DeadlineExceeded):
		return passing("the provider does not answer in time")
	case errors.As(err, &at):
		return passing("the provider cannot be reached: %v", at.Err)
	}
	return passing("the provider's answer is not understood") // err may quote it
}

func described(e *oauth2.RetrieveError) string {
	if e.ErrorDescription == "" {
		return ""
	}
	first, _, _ := strings.Cut(e.ErrorDescription, "\n")
	return ": " + strings.TrimRight(first, ". \r")
}

// maxLine is how much of a text is told, in octets.
const maxLine = 300

// line makes one line of what somebody else has written.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxLine {
		s = strings.ToValidUTF8(s[:maxLine], "") + "..."
	}
	return strings.TrimSpace(s)
}
