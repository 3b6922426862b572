package house

import (
	"strings"
)

// traces are the hosts that took a message, the last one first, with the IDs that
// they gave it.
func traces(text string) (all []custodyKey) {
	header, _, _ := strings.Cut(text, "\r\n\r\n")
	header = strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(header)
	for l := range strings.SplitSeq(header, "\r\n") {
		rest, is := strings.CutPrefix(l, "Received: ")
		if !is {
			continue
		}
		words := strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == ';' })
		var k custodyKey
		for i := range len(words) - 1 {
			switch words[i] {
			case "by":
				k.host = strings.TrimPrefix(words[i+1], "mx.")
			case "id":
				k.id = words[i+1]
			}
		}
		all = append(all, k)
	}
	return all
}

// tellings are what a report tells, a line each: "failed bob@sina.test".
func tellings(text string) (all []string) {
	to := ""
	text, _, _ = strings.Cut(text, "\r\nContent-Type: message/rfc822") // it may be about a report
	for l := range strings.SplitSeq(text, "\r\n") {
		if rest, is := strings.CutPrefix(l, "Final-Recipient: "); is {
			_, to, _ = strings.Cut(rest, ";")
			to = strings.TrimSpace(to)
		}
		if action, is := strings.CutPrefix(l, "Action: "); is && to != "" {
			all = append(all, action+" "+to)
			to = ""
		}
	}
	return all
}
