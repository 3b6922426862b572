package codes

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/posthouse/posthouse/smtp"
)

func enhancedOf(e smtp.EnhancedInfo, class string) enhanced {
	return enhanced{fmt.Sprintf("%s.%d.%d", class, e.Subject, e.Detail), e.Meaning, e.Source}
}

// list prints all tables, a row each.
func (t tables) list(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "CODE\tMEANING\tSOURCE\n")
	for _, c := range t.Codes {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", c.Code, c.Meaning, c.Source)
	}
	fmt.Fprintf(tw, "\nVERB\tSYNTAX\tANSWERS (besides %s)\n", join(smtp.Common))
	for _, v := range t.Verbs {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", v.Verb, v.Syntax, join(v.Replies))
	}
	fmt.Fprintf(tw, "\nENHANCED\tMEANING\tSOURCE\n")
	for _, e := range t.Enhanced {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", e.Code, e.Meaning, e.Source)
	}
	return tw.Flush()
}

// explain prints the one thing that was asked for.
func (t tables) explain(w io.Writer) error {
	var b strings.Builder
	for _, c := range t.Codes {
		fmt.Fprintf(&b, "%s  %s\n     %s\n     may answer %s\n", c.Code, c.Meaning, c.Source, strings.Join(c.Answers, " "))
	}
	for _, v := range t.Verbs {
		v.explain(&b)
	}
	for _, e := range t.Enhanced {
		fmt.Fprintf(&b, "%s  %s\n       %s\n", e.Code, e.Meaning, e.Source)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (v verb) explain(b *strings.Builder) {
	fmt.Fprintf(b, "%s  %s\n  %s\n", v.Verb, v.Summary, v.Source)
	if v.Syntax != "" {
		fmt.Fprintf(b, "  syntax: %s\n", v.Syntax)
	}
	if v.Alias != "" {
		fmt.Fprintf(b, "  also understood: %s\n", v.Alias)
	}
	fmt.Fprintf(b, "  may be answered with\n")
	meanings(b, v.Replies)
	fmt.Fprintf(b, "  and, like every verb, with\n")
	meanings(b, v.Common)
}

func meanings(b *strings.Builder, codes []smtp.Code) {
	for _, c := range codes {
		fmt.Fprintf(b, "    %s  %s\n", c, c.Meaning())
	}
}

func join(codes []smtp.Code) string {
	words := make([]string, len(codes))
	for i, c := range codes {
		words[i] = c.String()
	}
	return strings.Join(words, " ")
}
