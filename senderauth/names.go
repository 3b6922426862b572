package senderauth

import "strings"

// sealed are the fields that no one may add, even if the message has none:
// what people see, and what changes what they see. Each is named once more in
// h= than it stands in the message (RFC 6376, 8.15).
var sealed = []string{"From", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "Content-Type", "MIME-Version"}

// covered are signed if they are there, and then no one may add another.
// A mailing list may add those that it needs to a message without any.
var covered = []string{
	"Sender", "In-Reply-To", "References", "Content-Transfer-Encoding", "Content-Disposition",
	"List-Id", "List-Help", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Subscribe", "List-Post",
	"List-Owner", "List-Archive", "Autocrypt",
}

// NamesToSign returns the names of the fields that a signature over a header
// ought to cover, as often as h= should have them: what people see and what
// changes how they see it, each once more than it stands there, so that nobody
// can add another without being noticed.
func NamesToSign[F ~[]byte](header []F) []string {
	count := map[string]int{}
	for _, f := range header {
		count[fieldName(f)]++
	}
	var names []string
	for _, name := range sealed {
		for range count[strings.ToLower(name)] + 1 {
			names = append(names, name)
		}
	}
	for _, name := range covered {
		if n := count[strings.ToLower(name)]; n > 0 {
			for range n + 1 {
				names = append(names, name)
			}
		}
	}
	return names
}
