package letter

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxCodes is how many codes are told, and searched how much of a text is looked at.
const (
	maxCodes = 10
	searched = 64 << 10
)

// Codes are the one-time codes of the letter, the likeliest first (those of the subject, then
// those that are nearest to their word): four to eight digits, or
// capitals with digits among them, near a word such as "code", "PIN" or 验证码.
func (l *Letter) Codes() []string {
	var codes []string
	text := clip(withoutAddresses(clip(l.Words(), 4*searched)), searched)
	for _, c := range append(candidates(l.Subject), candidates(text)...) {
		if !slices.Contains(codes, c.code) && len(codes) < maxCodes {
			codes = append(codes, c.code)
		}
	}
	return codes
}

// candidate is what may be a code, and how far from a word that says so.
type candidate struct {
	code string
	far  int
}

var (
	// codeForm: A1B2-C3D4, 123-456, 123 456, G-123456, 123456, A1B2C3.
	codeForm = regexp.MustCompile(`[A-Z0-9]{4}-[A-Z0-9]{4}|\d{3}[- ]\d{3}|[A-Z]{1,2}-\d{4,8}|\d{4,8}|[A-Z0-9]{5,10}`)
	codeWord = regexp.MustCompile(`(?i)\bcodes?\b|passcode|\botp\b|\bpin\b|one[- ]time|verification|verify|security number|` +
		`验证码|校验码|动态码|动态密码|确认码|驗證碼|校驗碼|動態密碼|認証コード|確認コード|인증번호|인증 코드|` +
		`código|codigo|\bcode de\b|\bkod\b|bestätigungscode|sicherheitscode|zugangscode|код|пароль`)
)

// reach is how far from its word a code may stand, in octets.
const reach = 160

// candidates are what may be a code in a text, the likeliest first.
func candidates(text string) (found []candidate) {
	words := codeWord.FindAllStringIndex(text, 1000)
	w := 0
	for _, at := range codeForm.FindAllStringIndex(text, 1000) {
		for w+1 < len(words) && words[w+1][0] < at[0] {
			w++ // the last word before it; the next one comes after it
		}
		if far := nearest(words, w, at); far <= reach && alone(text, at) && isCode(text[at[0]:at[1]]) {
			found = append(found, candidate{strings.ReplaceAll(text[at[0]:at[1]], " ", ""), far})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.far, b.far) })
	return found
}

// nearest is how far the word before, or the one after, is from what stands at a place.
// A word after counts for more, since codes are announced.
func nearest(words [][]int, w int, at []int) int {
	far := reach + 1
	for _, word := range words[min(w, len(words)):min(w+2, len(words))] {
		switch {
		case word[1] <= at[0]:
			far = min(far, at[0]-word[1])
		case word[0] >= at[1]:
			far = min(far, 2*(word[0]-at[1])+10)
		}
	}
	return far
}

// alone reports whether nothing is glued to it: no letter, digit, sign of money, or point
// with digits.
func alone(text string, at []int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:at[0]])
	after, size := utf8.DecodeRuneInString(text[at[1]:])
	next, _ := utf8.DecodeRuneInString(text[at[1]+size:])
	switch {
	case latin(before), strings.ContainsRune("$€£¥#+/.-_@&=", before):
		return false
	case latin(after), strings.ContainsRune("/_@%", after):
		return false
	case strings.ContainsRune(".,-:", after) && unicode.IsDigit(next):
		return false
	}
	return true
}

func latin(r rune) bool {
	return unicode.IsDigit(r) || unicode.Is(unicode.Latin, r) || unicode.Is(unicode.Cyrillic, r)
}

// isCode: there are digits, and it is not a year beside a word by chance.
func isCode(s string) bool {
	digits := 0
	for i := range len(s) {
		if s[i] >= '0' && s[i] <= '9' {
			digits++
		}
	}
	year := len(s) == 4 && (strings.HasPrefix(s, "19") || strings.HasPrefix(s, "20"))
	return digits >= 2 && !year
}
