package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Printable returns text of a stranger in a form that is safe on a terminal
// and stays on one line: control characters and octets that are no UTF-8 become
// escapes as in Go and in the scripts of "posthouse talk", a backslash stays.
func Printable(s string) string {
	if strings.IndexFunc(s, unsafeRune) < 0 {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if unsafeRune(r) {
			quoted := strconv.Quote(s[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// unsafeRune is true of invalid octets too, which range as utf8.RuneError, and
// of the format characters that turn the direction of a line around.
func unsafeRune(r rune) bool {
	return r == utf8.RuneError || r != ' ' && !unicode.IsPrint(r)
}

// PrintJSON writes v as one line of JSON that is safe on a terminal.
func PrintJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(SafeJSON(w))
	enc.SetEscapeHTML(false) // "<a@b.example>" is for people too
	return enc.Encode(v)
}

// SafeJSON returns a writer of JSON, of which each call brings whole characters.
// What would not be safe on a terminal, though JSON allows it in a string, is
// written as \u and four digits, which means the same: DEL, the controls beyond
// ASCII, and what turns the direction of a line around.
func SafeJSON(w io.Writer) io.Writer { return safeJSON{w} }

type safeJSON struct{ w io.Writer }

func (s safeJSON) Write(p []byte) (int, error) {
	if !bytes.ContainsFunc(p, unsafeInJSON) {
		return s.w.Write(p)
	}
	var safe []byte
	for _, r := range string(p) {
		if !unsafeInJSON(r) {
			safe = utf8.AppendRune(safe, r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			safe = fmt.Appendf(safe, `\u%04x`, unit)
		}
	}
	if _, err := s.w.Write(safe); err != nil {
		return 0, err
	}
	return len(p), nil
}

// unsafeInJSON lets the end of a line through, which is no part of a string.
func unsafeInJSON(r rune) bool { return r != '\n' && r != utf8.RuneError && unsafeRune(r) }
