package cli

import "io"

// Answer prints what a command has found, as one line of JSON if asJSON is true, and
// otherwise for people, by show. An answer that cannot be written is a failure with
// [IOErr].
func Answer(out io.Writer, asJSON bool, answer any, show func(io.Writer) error) error {
	var err error
	if asJSON {
		err = PrintJSON(out, answer)
	} else {
		err = show(out)
	}
	if err != nil {
		return Fail(IOErr, "%w", err)
	}
	return nil
}

// Words shows a text that is safe on a terminal already.
func Words(text string) func(io.Writer) error {
	return func(out io.Writer) error {
		_, err := io.WriteString(out, text)
		return err
	}
}
