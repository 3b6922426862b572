// Package codes is the command "posthouse codes": it prints the tables of
// package smtp that say what may answer what, and what it means.
package codes

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
)

// Command returns "posthouse codes".
func Command() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "codes [CODE|VERB]",
		Short: "Say what reply codes and verbs mean, and which may answer which",
		Long: `Say what reply codes and verbs mean, and which codes may answer which verb.

Without an argument all tables are printed. CONNECT stands for the greeting and
"." for the end of the message text, which are answered like verbs.`,
		Example: `  posthouse codes          # everything
  posthouse codes 452      # a reply code
  posthouse codes 4.2.2    # an enhanced code
  posthouse codes rcpt     # a verb and what may answer it`,
		Args: cli.AtMostOne,
		RunE: func(cmd *cobra.Command, args []string) error {
			found := all()
			if len(args) == 1 {
				found = lookup(args[0])
			}
			if found.empty() {
				return cli.Fail(cli.Usage,
					"%q is no reply code, enhanced code or verb that SMTP knows (posthouse codes lists them)", args[0])
			}
			show := found.list
			switch {
			case asJSON:
				show = func(w io.Writer) error { return cli.PrintJSON(w, found) }
			case len(args) == 1:
				show = found.explain
			}
			if err := show(cmd.OutOrStdout()); err != nil {
				return cli.Fail(cli.IOErr, "%w", err)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// tables is what there is to print.
type tables struct {
	Codes    []code     `json:"codes,omitempty"`
	Verbs    []verb     `json:"verbs,omitempty"`
	Enhanced []enhanced `json:"enhanced,omitempty"`
}

type code struct {
	Code    smtp.Code `json:"code"`
	Meaning string    `json:"meaning"`
	Source  string    `json:"source"`
	Answers []string  `json:"answers"` // verbs
}

type verb struct {
	Verb    string      `json:"verb"`
	Syntax  string      `json:"syntax"`
	Summary string      `json:"summary"`
	Source  string      `json:"source"`
	Alias   string      `json:"alias,omitempty"`
	Replies []smtp.Code `json:"replies"`
	Common  []smtp.Code `json:"common"` // may answer every verb
}

type enhanced struct {
	Code    string `json:"code"` // "X.1.1": the class is that of the reply
	Meaning string `json:"meaning"`
	Source  string `json:"source"`
}

func (t tables) empty() bool {
	return len(t.Codes)+len(t.Verbs)+len(t.Enhanced) == 0
}

func all() tables {
	var t tables
	for _, c := range smtp.Codes {
		t.Codes = append(t.Codes, codeOf(c))
	}
	for _, v := range smtp.Verbs {
		t.Verbs = append(t.Verbs, verbOf(v))
	}
	for _, e := range smtp.EnhancedCodes {
		t.Enhanced = append(t.Enhanced, enhancedOf(e, "X"))
	}
	return t
}

// lookup finds the one thing that word names.
func lookup(word string) tables {
	for _, c := range smtp.Codes {
		if c.Code.String() == word {
			return tables{Codes: []code{codeOf(c)}}
		}
	}
	for _, v := range smtp.Verbs {
		if strings.EqualFold(v.Name, word) || v.Alias != "" && strings.EqualFold(v.Alias, word) {
			return tables{Verbs: []verb{verbOf(v)}}
		}
	}
	class, rest, _ := strings.Cut(word, ".")
	if strings.EqualFold(class, "X") {
		class, word = "X", "5."+rest
	}
	want, ok := smtp.ParseEnhancedCode(word)
	for _, e := range smtp.EnhancedCodes {
		if ok && e.Subject == want[1] && e.Detail == want[2] {
			return tables{Enhanced: []enhanced{enhancedOf(e, class)}}
		}
	}
	return tables{}
}

func codeOf(c smtp.CodeInfo) code {
	out := code{Code: c.Code, Meaning: c.Meaning, Source: c.Source}
	for _, v := range smtp.Verbs {
		if v.Verb.Permits(c.Code) {
			out.Answers = append(out.Answers, v.Name)
		}
	}
	return out
}

func verbOf(v smtp.VerbInfo) verb {
	return verb{v.Name, v.Syntax, v.Summary, v.Source, v.Alias, v.Replies, smtp.Common}
}

func enhancedOf(e smtp.EnhancedInfo, class string) enhanced {
	return enhanced{fmt.Sprintf("%s.%d.%d", class, e.Subject, e.Detail), e.Meaning, e.Source}
}
