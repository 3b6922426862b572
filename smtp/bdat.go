package smtp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Bdat is BDAT: Size octets follow.
type Bdat struct {
	Size int64
	Last bool
}

// Verb implements [Command].
func (Bdat) Verb() Verb { return VerbBDAT }

func parseBdat(args string) (Bdat, error) {
	size, last, two := strings.Cut(args, " ")
	last = strings.TrimLeft(last, " ")
	if two && !equalFold("LAST", last) {
		return Bdat{}, errors.New("only LAST may follow the size")
	}
	n, err := strconv.ParseInt(size, 10, 64)
	if !allDigits(size) || err != nil {
		return Bdat{}, errors.New("the size is no number of octets")
	}
	return Bdat{n, two}, nil
}

func (c Bdat) line(dst []byte) ([]byte, error) {
	if c.Size < 0 {
		return dst, fmt.Errorf("BDAT: size %d is negative", c.Size)
	}
	dst = strconv.AppendInt(append(dst, "BDAT "...), c.Size, 10)
	if c.Last {
		dst = append(dst, " LAST"...)
	}
	return dst, nil
}
