package inbox

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/posthouse/posthouse/internal/mail"
)

// Bounds of the tags of a message.
const (
	maxTags = 20
	maxTag  = 40 // octets
)

// ParseTags puts tags into the form in which they are kept: without white space around
// them, each once whatever its case, in order. The error is a sentence for people.
func ParseTags(given []string) ([]string, error) {
	var tags []string
	for _, tag := range given {
		tag = strings.TrimSpace(tag)
		switch {
		case tag == "" || slices.ContainsFunc(tags, func(t string) bool { return strings.EqualFold(t, tag) }):
			continue
		case len(tag) > maxTag:
			return nil, fmt.Errorf("a tag has %d octets at most", maxTag)
		case strings.ContainsFunc(tag, func(r rune) bool { return !unicode.IsPrint(r) || r == ',' || r == '"' }):
			return nil, fmt.Errorf("the tag %q has something in it that no tag has: a comma, a quote, or what cannot be printed", tag)
		case len(tags) == maxTags:
			return nil, fmt.Errorf("a message has %d tags at most", maxTags)
		}
		tags = append(tags, tag)
	}
	slices.SortFunc(tags, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	return tags, nil
}

// tagsOf are those that a message brings in its X-Tags field, with commas between them; what
// is no tag there is passed over.
func tagsOf(field string) []string {
	var tags []string
	for one := range strings.SplitSeq(field, ",") {
		if more, err := ParseTags(append(slices.Clone(tags), one)); err == nil {
			tags = more
		}
		if len(tags) == maxTags {
			break
		}
	}
	return tags
}

// Tag gives a message the tags that [ParseTags] made, in the place of those that it had.
// The error is [ErrNotFound], or one of the disk.
func (s *Store) Tag(inbox string, id mail.ID, tags []string) error {
	return s.alter(inbox, id, func(r *record) { r.Message.Tags = slices.Clone(tags) })
}

// Tags are those that messages of an inbox have, and how many do; "" is every inbox.
func (s *Store) Tags(inbox string) map[string]int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	tags := map[string]int{}
	for _, e := range s.index.of(inboxName(inbox)) {
		for _, tag := range e.message.Tags {
			tags[tag]++
		}
	}
	return tags
}

func tagMeaning(word string) func(*entry) bool {
	return func(e *entry) bool {
		return slices.ContainsFunc(e.message.Tags, func(tag string) bool { return fold(tag) == word })
	}
}
