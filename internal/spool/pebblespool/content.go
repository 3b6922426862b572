package pebblespool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/spool"
)

// content is that of a message for as long as it is there.
type content struct {
	s  *Spool
	id mail.ID
	head
}

// Open implements [spool.Engine].
func (s *Spool) Open(ctx context.Context, id mail.ID) (mail.Content, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.leave()
	c := &content{s: s, id: id}
	if err := c.find(); err != nil {
		return nil, fmt.Errorf("open %s: %w", id, err)
	}
	r, err := c.open() // told now if it is damaged
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", id, err)
	}
	return c, r.Close()
}

func (c *content) find() error {
	switch d, err := c.s.get(idKey(kDamage, c.id)); {
	case err != nil:
		return err
	case len(d) >= 8:
		return fmt.Errorf("%w: %s", spool.ErrDamaged, d[8:])
	}
	if c.s.hidden(c.id) {
		return spool.ErrNotFound
	}
	b, err := c.s.get(idKey(kEnvelope, c.id))
	if err != nil {
		return err
	}
	if b == nil {
		return spool.ErrNotFound
	}
	if c.head, err = readHead(b); err != nil {
		return c.damaged("envelope: " + err.Error())
	}
	return nil
}

// hidden reports whether a message is not known to be durable.
func (s *Spool) hidden(id mail.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending[id]
}

func (c *content) Size() int64 { return c.size }

// Open implements [mail.Content].
func (c *content) Open() (io.ReadCloser, error) {
	if err := c.s.enter(context.Background()); err != nil {
		return nil, err
	}
	defer c.s.leave()
	r, err := c.open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", c.id, err)
	}
	return r, nil
}

func (c *content) open() (io.ReadCloser, error) {
	b, err := c.s.get(idKey(kBody, c.id))
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, c.missing()
	}
	b, err = spool.Unseal(b, c.id[:])
	switch {
	case err != nil:
		return nil, c.damaged("body: " + err.Error())
	case c.file == 0 && int64(len(b)) != c.size:
		return nil, c.damaged("body: its length is not that of the envelope")
	case c.file == 0:
		return io.NopCloser(bytes.NewReader(b)), nil
	case len(b) < 20:
		return nil, c.damaged("body: no file is named")
	}
	return c.openFile(b[:len(b)-20], b[len(b)-20:])
}

// missing tells a body that was removed with its message from one that is lost.
func (c *content) missing() error {
	if there, err := c.s.has(idKey(kEnvelope, c.id)); err != nil || !there {
		return errors.Join(spool.ErrNotFound, err)
	}
	return c.damaged("the body is gone")
}

func (c *content) openFile(prepend, tail []byte) (io.ReadCloser, error) {
	r := &fileReader{damaged: c.damaged, left: int64(binary.BigEndian.Uint64(tail[8:])), want: binary.BigEndian.Uint32(tail[16:])}
	f, err := c.s.fs.Open(c.s.filePath(binary.BigEndian.Uint64(tail)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, c.missing()
	}
	if err != nil {
		return nil, err
	}
	r.file = f
	if info, err := f.Stat(); err != nil || info.Size() != r.left {
		return nil, errors.Join(err, f.Close(), c.damaged("body file: its length is not that of the message"))
	}
	return &limited{io.MultiReader(bytes.NewReader(prepend), r), f}, nil
}

// fileReader reads a body file and does not say io.EOF before its checksum was right.
type fileReader struct {
	file    io.Reader
	left    int64
	sum     uint32
	want    uint32
	damaged func(what string) error
}

func (r *fileReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		if r.sum != r.want {
			return 0, r.damaged("body file: checksum does not match")
		}
		return 0, io.EOF
	}
	n, err := r.file.Read(p[:min(int64(len(p)), r.left)])
	r.left -= int64(n)
	r.sum = crc32.Update(r.sum, spool.Castagnoli, p[:n])
	if err == io.EOF {
		err = nil
		if n == 0 {
			err = r.damaged("body file: its length is not that of the message")
		}
	}
	return n, err
}

func (c *content) damaged(what string) error {
	if !c.s.readOnly {
		c.s.damage(c.id, what)
	}
	return fmt.Errorf("%w: %s", spool.ErrDamaged, what)
}
