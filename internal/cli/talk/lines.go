package talk

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/posthouse/posthouse/internal/cli"
)

// input is one line to say, or the error that ended the lines.
type input struct {
	number int
	text   string
	err    error
}

// maxInput is the longest line of a script, in octets.
const maxInput = 1 << 20

// prompter reads a line each time it is asked for one, and nothing in between,
// so that a password can be read from the same terminal.
type prompter struct {
	ask   chan struct{}
	lines chan input // closed at the end of the lines
	asked bool       // and not answered yet
}

// readLines reads lines until the context ends. It may be left behind in a
// read of the standard input, which nothing can interrupt; the program is at
// its end then.
func readLines(ctx context.Context, r io.Reader) *prompter {
	p := &prompter{ask: make(chan struct{}, 1), lines: make(chan input)}
	go p.read(ctx, r)
	return p
}

func (p *prompter) read(ctx context.Context, r io.Reader) {
	defer close(p.lines)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxInput)
	for n := 1; ; n++ {
		select {
		case <-p.ask:
		case <-ctx.Done():
			return
		}
		line := input{number: n}
		if lines.Scan() {
			line.text = strings.TrimSuffix(lines.Text(), "\r")
		} else if line.err = lines.Err(); line.err == nil {
			return
		}
		select {
		case p.lines <- line:
		case <-ctx.Done():
			return
		}
	}
}

// next asks for a line, unless that was done, and returns where it will come.
func (p *prompter) next() <-chan input {
	if !p.asked {
		p.asked = true
		p.ask <- struct{}{}
	}
	return p.lines
}

// readFault turns an error of a script or a message file into one for its
// reader.
func readFault(err error) error {
	if errors.Is(err, bufio.ErrTooLong) {
		err = fmt.Errorf("a line is longer than %d octets", maxInput)
	}
	return cli.Fail(cli.NoInput, "%w", err)
}
