package sender

import (
	"fmt"
	"strings"

	"github.com/posthouse/posthouse/message"
	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/dkim"
)

// once are the fields that a message has once at most (RFC 5322, 3.6; RFC 2045), and of
// which people see one or the other if there are two.
var once = []string{"from", "sender", "reply-to", "to", "cc", "subject", "date", "message-id", "content-type", "mime-version", "content-transfer-encoding"}

// doubt takes away what a signature proves of a message that has a field twice, if it does not
// cover all of them: somebody may have put another above the one that was signed (RFC 6376, 8.15).
func doubt(signed []dkim.Result, h message.Header) {
	count := map[string]int{}
	for _, f := range h {
		count[strings.ToLower(f.Name())]++
	}
	for _, name := range once {
		if count[name] < 2 {
			continue
		}
		for i := range signed {
			if r := &signed[i]; r.Verdict == senderauth.Pass && covered(r.Fields, name) < count[name] {
				r.Verdict, r.Err = senderauth.Policy, fmt.Errorf("there are %d %s fields, and not all of them are signed", count[name], name)
			}
		}
	}
}

// covered is how often a signature names a field.
func covered(fields []string, name string) (n int) {
	for _, f := range fields {
		if strings.EqualFold(f, name) {
			n++
		}
	}
	return n
}
