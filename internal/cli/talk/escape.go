package talk

import (
	"errors"
	"fmt"
	"strconv"
)

// unescape reads BYTES: \r, \n, \t, \0, \\ and \xHH stand for octets, all else
// for itself.
func unescape(s string) ([]byte, error) {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		if i++; i == len(s) {
			return nil, errors.New(`a single \ at the end (write \\)`)
		}
		switch s[i] {
		case 'r':
			out = append(out, '\r')
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case '0':
			out = append(out, 0)
		case '\\':
			out = append(out, '\\')
		case 'x':
			octet, err := strconv.ParseUint(s[min(i+1, len(s)):min(i+3, len(s))], 16, 8)
			if err != nil || i+3 > len(s) {
				return nil, errors.New(`\x without two hexadecimal digits`)
			}
			out = append(out, byte(octet))
			i += 2
		default:
			return nil, fmt.Errorf(`\%c is no escape (there are \r \n \t \0 \\ \xHH)`, s[i])
		}
	}
	return out, nil
}
