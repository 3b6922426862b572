package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// Confirm asks a question that "y" or "yes" answers with yes. Without a terminal on
// both sides it is an error that names the flag which says yes beforehand.
func Confirm(in io.Reader, out io.Writer, question, flag string) (bool, error) {
	if !IsTerminal(in) || !IsTerminal(out) {
		return false, Fail(Usage, "there is no terminal to be asked on (%s says yes)", flag)
	}
	return confirm(in, out, question)
}

func confirm(in io.Reader, out io.Writer, question string) (bool, error) {
	fmt.Fprintf(out, "%s [y/N] ", question)
	line, err := bufio.NewReader(io.LimitReader(in, 100)).ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(out)
		return false, nil
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}
