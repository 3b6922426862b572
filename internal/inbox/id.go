package inbox

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
)

// numbering makes IDs that ascend, also within a millisecond, so that messages are
// listed in the order in which they came.
type numbering struct {
	random io.Reader

	mu   sync.Mutex
	last mail.ID
}

func (n *numbering) next(now time.Time) (mail.ID, error) {
	id, err := mail.NewID(now, n.random)
	if err != nil {
		return id, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if bytes.Compare(id[:], n.last[:]) <= 0 {
		id = successor(n.last)
	}
	n.last = id
	return id, nil
}

// successor is the next ID in order.
func successor(id mail.ID) mail.ID {
	for i := len(id) - 1; i >= 0; i-- {
		if id[i]++; id[i] != 0 {
			break
		}
	}
	return id
}
