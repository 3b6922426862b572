package run

import (
	"log/slog"
	"strings"
	"time"

	"github.com/posthouse/posthouse/smtp"
	"github.com/posthouse/posthouse/smtp/smtpserver"
)

// logRefusals returns a hook that logs replies by which something was refused:
// many clients keep the reason to themselves. The end of a session (421) is
// logged by the server.
func logRefusals(log *slog.Logger) func(*smtpserver.Conn) *smtpserver.Trace {
	return func(c *smtpserver.Conn) *smtpserver.Trace {
		return &smtpserver.Trace{Out: func(_ time.Time, line []byte) {
			if isRefusal(string(line)) {
				log.Info("refused", "reply", string(line), "client", c.RemoteAddr().String(), "helo", c.Hello())
			}
		}}
	}
}

// isRefusal reports whether line is the last one of a reply that refuses.
func isRefusal(line string) bool {
	return len(line) > 3 && line[3] == ' ' && (line[0] == '4' || line[0] == '5') &&
		!strings.HasPrefix(line, smtp.CodeUnavailable.String())
}
