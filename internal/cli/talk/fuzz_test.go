package talk

import "testing"

// FuzzReplyLine: what is read as the line of a reply begins with its code, and says by one octet whether more
// follow.
func FuzzReplyLine(f *testing.F) {
	for _, s := range []string{"250 ok\r\n", "250-ok\n", "250", "25", "2500 x", "250\tx", "٢٥٠ ok", "", "\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		code, more, ok := parseReplyLine(line)
		if ok && (code < 0 || code > 999 || more != (len(line) > 3 && line[3] == '-')) {
			t.Errorf("%q is %d, %v", line, code, more)
		}
	})
}
