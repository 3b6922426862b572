package inbox

import (
	"bytes"
	"io"
	"sync"

	"github.com/posthouse/posthouse/internal/mail"
)

// record is what is kept of a message beside its source.
type record struct {
	Message  Message `json:"message"`
	Words    string  `json:"words"`
	Dialogue []Line  `json:"dialogue,omitempty"`
}

// files is where messages are. It may be used by many goroutines. An inbox and an ID name a
// message.
type files interface {
	// write returns when the message is on stable storage.
	write(r *record, source []byte) error
	open(inbox string, id mail.ID) (io.ReadSeekCloser, error)
	read(inbox string, id mail.ID) (*record, error)
	alter(inbox string, id mail.ID, change func(*record)) (*record, error)
	remove(inbox string, id mail.ID)
	close()
}

// memory is files that end with the program.
type memory struct {
	mu  sync.Mutex
	all map[mail.ID]kept
}

type kept struct {
	record
	source []byte
}

func newMemory() *memory { return &memory{all: map[mail.ID]kept{}} }

func (m *memory) write(r *record, source []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all[r.Message.ID] = kept{*r, source}
	return nil
}

func (m *memory) close() {}

func (m *memory) find(id mail.ID) (kept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.all[id]
	if !ok {
		return kept{}, ErrNotFound
	}
	return k, nil
}

func (m *memory) open(_ string, id mail.ID) (io.ReadSeekCloser, error) {
	k, err := m.find(id)
	if err != nil {
		return nil, err
	}
	return inMemory{bytes.NewReader(k.source)}, nil
}

type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

func (m *memory) read(_ string, id mail.ID) (*record, error) {
	k, err := m.find(id)
	return &k.record, err
}

func (m *memory) alter(_ string, id mail.ID, change func(*record)) (*record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.all[id]
	if !ok {
		return nil, ErrNotFound
	}
	change(&k.record)
	m.all[id] = k
	return &k.record, nil
}

func (m *memory) remove(_ string, id mail.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, id)
}
