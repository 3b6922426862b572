package tlsrpt

import (
	"net/url"
	"strings"
)

// maxTargets is how many places of a record count.
const maxTargets = 10

// ParseRecord reads the texts at _smtp._tls below a domain and returns where it wants
// its reports: "mailto:" and "https:" URIs (RFC 8460, 3). There are none if there is not exactly one
// such text.
func ParseRecord(texts []string) []string {
	found := ""
	for _, t := range texts {
		if rest, ok := strings.CutPrefix(t, "v=TLSRPTv1;"); ok {
			if found != "" {
				return nil
			}
			found = rest
		}
	}
	var to []string
	for field := range strings.SplitSeq(found, ";") {
		word, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		if strings.TrimSpace(word) != "rua" {
			continue
		}
		for uri := range strings.SplitSeq(value, ",") {
			uri = strings.TrimSpace(uri)
			if u, err := url.Parse(uri); err == nil && (u.Scheme == "mailto" || u.Scheme == "https") && len(to) < maxTargets {
				to = append(to, uri)
			}
		}
		break
	}
	return to
}
