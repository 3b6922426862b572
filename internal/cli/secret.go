package cli

import (
	"bufio"
	"io"
	"os"
	"strings"
)

// maxSecret is the longest password or token, in octets.
const maxSecret = 64 * 1024

// ReadSecret returns the first line of a file: a password or a token. It is
// never part of an error.
func ReadSecret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", Fail(NoInput, "%w", err)
	}
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxSecret)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", Fail(NoInput, "%w", err)
	}
	secret := strings.TrimRight(line, "\r\n")
	if secret == "" {
		return "", Fail(NoInput, "the first line of %s is empty (it must be the password)", path)
	}
	return secret, nil
}
