package config

import (
	"fmt"
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
	pipeWords    = []string{"user", "domain", "sender", "recipient"}
)

// template is text with placeholders such as %{user}.
func template(words ...string) kind[string] {
	return textual(func(_ *decoder, s string) (string, error) {
		for rest := s; ; {
			_, behind, found := strings.Cut(rest, "%{")
			if !found {
				return s, nil
			}
			word, after, closed := strings.Cut(behind, "}")
			switch {
			case !closed:
				return "", fmt.Errorf("%q has a %%{ without its }", clip(s))
			case !slices.Contains(words, word):
				hint := didYouMean(word, words)
				if hint == "" {
					hint = "there are %{" + strings.Join(words, "}, %{") + "}"
				}
				return "", fmt.Errorf("%%{%s} stands for nothing here; %s", clip(word), hint)
			}
			rest = after
		}
	}, itself)
}
