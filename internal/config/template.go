package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

type value = cty.Value

// textValue is a label as it would be as a value.
func textValue(s string) value { return cty.StringVal(s) }

// maildirWords and pipeWords are what may stand for a part of the envelope.
var (
	maildirWords = []string{"user", "domain"}
	pipeWords    = []string{"user", "domain", "sender", "recipient", "id"}
)

// folders is the path of a Maildir, with placeholders such as %{user}.
func folders() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		return s, checkTemplate(s, maildirWords, false)
	}, itself)
}

// argument is a word of a command, with placeholders; "%%" is a percent sign.
func argument() kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		return s, checkTemplate(s, pipeWords, true)
	}, itself)
}

func checkTemplate(s string, words []string, double bool) error {
	for rest := s; ; {
		_, behind, found := strings.Cut(rest, "%")
		if !found {
			return nil
		}
		if double && strings.HasPrefix(behind, "%") {
			rest = behind[1:]
			continue
		}
		word, after, closed := strings.Cut(strings.TrimPrefix(behind, "{"), "}")
		switch {
		case !closed || !strings.HasPrefix(behind, "{"):
			return fmt.Errorf("behind a %% there is no {word} in %q; %s", clip(s), placeholders(words))
		case !slices.Contains(words, word):
			hint := didYouMean(word, words)
			if hint == "" {
				hint = placeholders(words)
			}
			return fmt.Errorf("%%{%s} stands for nothing here; %s", clip(word), hint)
		}
		rest = after
	}
}

func placeholders(words []string) string {
	return "there are %{" + strings.Join(words, "}, %{") + "}"
}

// MaildirOf splits the path of a route to Maildirs into the directory below which
// all of them are, which is Data unless the path is absolute, and the path below
// it, with its placeholders.
func (c *Config) MaildirOf(r *Route) (root, path string) {
	if !filepath.IsAbs(r.Maildir.Value) {
		return c.Data.Value, r.Maildir.Value
	}
	fixed := r.Maildir.Value
	if i := strings.Index(fixed, "%{"); i >= 0 {
		fixed = fixed[:i]
	}
	at := strings.LastIndexByte(fixed, '/')
	return filepath.Clean(fixed[:at+1]), r.Maildir.Value[at+1:]
}
