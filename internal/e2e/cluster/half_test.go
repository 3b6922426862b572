package cluster

import (
	"io"
	"strings"
	"sync"
)

// halfText is a letter of which the second half comes only when it is over.
type halfText struct {
	half, over chan struct{}
	once       sync.Once
}

const firstHalf = "Subject: half\r\n\r\n"

func (h *halfText) Size() int64 { return 1 << 20 }

func (h *halfText) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(strings.NewReader(firstHalf+strings.Repeat("rain and snow\r\n", 5000)), waiting{h})), nil
}

// waiting is the second half: it is never there.
type waiting struct{ *halfText }

func (w waiting) Read([]byte) (int, error) {
	w.once.Do(func() { close(w.half) })
	<-w.over
	return 0, io.ErrUnexpectedEOF
}
