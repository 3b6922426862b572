package config

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/posthouse/posthouse/internal/mail"
)

// MaxFile is the longest configuration, in octets.
const MaxFile = 1 << 20

// Bounds on a file. HCL descends into brackets by calling itself, and Go ends a
// program whose stack has grown too large, so depth is bounded before it sees
// the file.
const (
	maxDepth  = 16 // of brackets in brackets
	maxNumber = 20 // octets of a number
)

// placeholder takes the place of the '%' of "%{user}" while HCL looks at the
// file, to which that would be the beginning of a directive; ours has none. It is
// one octet, so that columns stay, and is in no file (checkText).
const placeholder = 0x1a

// hidePlaceholders returns a copy of a file for HCL. "%%{", HCL's own way of
// writing "%{", stays as it is.
func hidePlaceholders(src []byte) []byte {
	out := bytes.Clone(src)
	for i := 0; i+1 < len(out); i++ {
		if out[i] == '%' && out[i+1] == '{' && (i == 0 || src[i-1] != '%') {
			out[i] = placeholder
		}
	}
	return out
}

// showPlaceholders undoes hidePlaceholders in a text that HCL returns.
func showPlaceholders(s string) string {
	return string(bytes.ReplaceAll([]byte(s), []byte{placeholder}, []byte{'%'}))
}

// checkText finds what is no text: a file of something else, most likely.
func (ps *problems) checkText(src []byte) bool {
	line, start := 1, 0
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		at := mail.Origin{File: ps.file, Line: line, Column: i - start + 1}
		switch {
		case r == '\n':
			line, start = line+1, i+1
		case r == utf8.RuneError && size <= 1:
			ps.add(at, "is it the right file?", "this is no UTF-8 text")
			return false
		case r < ' ' && r != '\t' && r != '\r' || r == 0x7f:
			ps.add(at, "is it the right file?", "there is a control character, %#02x", r)
			return false
		}
		i += size
	}
	return true
}

// checkTokens finds what HCL has and this language has not, before HCL parses
// it: operators, conditions, loops, objects, variables with dots, long texts.
func (ps *problems) checkTokens(tokens hclsyntax.Tokens) bool {
	depth, before := 0, len(ps.found)
	for i, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp:
			if depth++; depth > maxDepth {
				ps.add(ps.origin(t.Range), "", "there are more than %d brackets in brackets", maxDepth)
				return false
			}
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenNumberLit:
			if len(t.Bytes) > maxNumber {
				ps.add(ps.origin(t.Range), "", "the number has more than %d digits", maxNumber)
			}
		case hclsyntax.TokenIdent, hclsyntax.TokenOQuote, hclsyntax.TokenCQuote, hclsyntax.TokenQuotedLit,
			hclsyntax.TokenEqual, hclsyntax.TokenComma, hclsyntax.TokenNewline, hclsyntax.TokenComment, hclsyntax.TokenEOF:
		default:
			if isSign(tokens, i) {
				continue
			}
			ps.add(ps.origin(t.Range), `values are "text", numbers, true, false, lists in [ ] and env("NAME")`,
				"%q means nothing here", clip(strings.TrimSpace(showPlaceholders(string(t.Bytes)))))
			if t.Type == hclsyntax.TokenOHeredoc || len(ps.found) > maxProblems {
				return false // what follows is part of it
			}
		}
	}
	return len(ps.found) == before
}

// isSign reports whether a token is the sign of a number below zero.
func isSign(tokens hclsyntax.Tokens, i int) bool {
	return tokens[i].Type == hclsyntax.TokenMinus && i > 0 && tokens[i-1].Type == hclsyntax.TokenEqual &&
		i+1 < len(tokens) && tokens[i+1].Type == hclsyntax.TokenNumberLit
}

func (ps *problems) origin(r hcl.Range) mail.Origin {
	return mail.Origin{File: ps.file, Line: r.Start.Line, Column: r.Start.Column}
}
