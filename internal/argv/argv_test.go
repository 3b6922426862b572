package argv_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/posthouse/posthouse/internal/argv"
)

func TestSplit(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{`/bin/cat`, `["/bin/cat"]`},
		{"  /usr/bin/vacation\t jane  ", `["/usr/bin/vacation" "jane"]`},
		{`/bin/a 'b c' "d e" f\ g`, `["/bin/a" "b c" "d e" "f g"]`},
		{`/bin/a b'c'"d"e`, `["/bin/a" "bcde"]`},
		{`/bin/a '' ""`, `["/bin/a" "" ""]`},
		{`/bin/a '$HOME|\n' "a\"b\\c\$d\e"`, `["/bin/a" "$HOME|\\n" "a\"b\\c$d\\e"]`},
		{`/bin/a \| \$x`, `["/bin/a" "|" "$x"]`},
		{`/bin/a --to=büro@example.net`, `["/bin/a" "--to=büro@example.net"]`},
		{`"/bin/a b" c`, `["/bin/a b" "c"]`},

		{``, `a command begins with the absolute path of a program`},
		{`vacation jane`, `a command begins with the absolute path of a program`},
		{`HOME=/tmp /bin/a`, `a command begins with the absolute path of a program`},
		{`exec /bin/a`, `a command begins with the absolute path of a program`},
		{`/bin/a | /bin/b`, `'|' needs a shell, and there is none: quote it, or write a script`},
		{`/bin/a && /bin/b`, `'&' needs a shell, and there is none: quote it, or write a script`},
		{`/bin/a;/bin/b`, `';' needs a shell, and there is none: quote it, or write a script`},
		{`/bin/a >/tmp/x`, `'>' needs a shell, and there is none: quote it, or write a script`},
		{`/bin/a $HOME`, `'$' needs a shell, and there is none: quote it, or write a script`},
		{`/bin/a "$HOME"`, `'$' needs a shell, and there is none: quote it, or write a script`},
		{"/bin/a \"`id`\"", "'`' needs a shell, and there is none: quote it, or write a script"},
		{`/bin/a *.txt`, `'*' needs a shell, and there is none: quote it, or write a script`},
		{`/bin/a ~jane`, `'~' needs a shell, and there is none: quote it, or write a script`},
		{`/bin/a 'b`, `the closing quote is missing`},
		{`/bin/a "b`, `the closing quote is missing`},
		{`/bin/a b\`, `there is nothing behind the last backslash`},
		{"/bin/a 'b\nc'", `there is a control character in the command`},
		{"/bin/a \\\x00", `there is nothing behind the last backslash`},
		{"/bin/a " + strings.Repeat("x", 64<<10), `a command line has 65536 octets at most`},
	} {
		words, err := argv.Split(c.line)
		got := fmt.Sprintf("%q", words)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.line, got, c.want)
		}
	}
}

// FuzzSplit: words that are quoted again are the same words.
func FuzzSplit(f *testing.F) {
	f.Add(`/bin/a 'b c' "d\"e" f\ g`)
	f.Fuzz(func(t *testing.T, line string) {
		words, err := argv.Split(line)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, w := range words {
			b.WriteString(" '" + strings.ReplaceAll(w, "'", `'\''`) + "'")
		}
		again, err := argv.Split(b.String())
		if err != nil || fmt.Sprintf("%q", again) != fmt.Sprintf("%q", words) {
			t.Errorf("%q\n%q, %v", words, again, err)
		}
	})
}
