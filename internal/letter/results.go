package letter

import (
	"strings"

	"github.com/posthouse/posthouse/senderauth"
)

// maxResults is how many Authentication-Results fields are read.
const maxResults = 20

// Results is what the Authentication-Results fields say (RFC 8601), from the top. Anybody can write
// such a field: whoever believes one knows the host that it names.
func (l *Letter) Results() []senderauth.Results {
	var all []senderauth.Results
	for _, f := range l.Header {
		if !strings.EqualFold(f.Name, "Authentication-Results") || len(all) == maxResults {
			continue
		}
		if r, err := senderauth.ParseResults(f.raw); err == nil {
			all = append(all, r)
		}
	}
	return all
}
