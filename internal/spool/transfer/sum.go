package transfer

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"time"

	"github.com/posthouse/posthouse/internal/spool"
)

// Sum is what an engine holds: two with the same sum hold the same.
type Sum struct {
	Messages, Recipients int64
	Bytes                int64 // of contents
	Facts, States        int64
	Digest               [sha256.Size]byte // of all of it but the versions of states
}

// verify reads both ends and compares them. States that have expired meanwhile are in neither.
func (c *copier) verify(ctx context.Context) error {
	now := time.Now()
	there, err := sumOf(ctx, c.from.Engine, now, c.step)
	if err != nil {
		return fmt.Errorf("%s: %w", c.from.Name, err)
	}
	here, err := sumOf(ctx, c.to.Engine, now, c.step)
	if err != nil {
		return fmt.Errorf("%s: %w", c.to.Name, err)
	}
	if there != here {
		return fmt.Errorf("%w: %s, and in the target %s", ErrDiffers, there.words(), here.words())
	}
	c.sum = here
	return nil
}

func (s *Sum) words() string {
	return fmt.Sprintf("%d messages of %d octets for %d recipients, %d entries of the journal, %d states, checksum %x",
		s.Messages, s.Bytes, s.Recipients, s.Facts, s.States, s.Digest[:4])
}

// sumOf reads all that an engine holds. States that expire within an hour of now are
// left out, so that none goes between one end and the other.
func sumOf(ctx context.Context, engine Engine, now time.Time, step func(int64)) (Sum, error) {
	var s Sum
	h := sha256.New()
	err := each(ctx, engine, func(items []spool.Item) error {
		s.Messages++
		s.Recipients += int64(len(items))
		s.Bytes += items[0].Envelope.Size
		step(1)
		return addMessage(ctx, h, engine, items)
	})
	if err != nil {
		return Sum{}, err
	}
	err = eachFacts(ctx, engine, 0, func(facts []spool.Fact) error {
		s.Facts += int64(len(facts))
		for i := range facts {
			f := &facts[i]
			fmt.Fprintf(h, "%d %s %d %q\n", f.Seq, f.ID, spool.Nanos(f.At), f.Data)
		}
		return nil
	})
	if err != nil {
		return Sum{}, err
	}
	err = eachState(ctx, engine, func(st spool.State) error {
		if st.Expires.IsZero() || st.Expires.After(now.Add(time.Hour)) {
			s.States++
			fmt.Fprintf(h, "%q %q %d %q\n", st.Room, st.Key, spool.Nanos(st.Expires), st.Value)
		}
		return nil
	})
	s.Digest = [sha256.Size]byte(h.Sum(nil))
	return s, err
}

// addMessage adds a message with its content, which is read to its end.
func addMessage(ctx context.Context, h hash.Hash, engine spool.Engine, items []spool.Item) error {
	env := items[0].Envelope
	fmt.Fprintf(h, "%s %d %x\n", env.ID, env.Size, spool.AppendEnvelope(nil, env))
	for i := range items {
		fmt.Fprintf(h, "%d %x\n", items[i].Standing.Recipient, spool.AppendStanding(nil, &items[i].Standing))
	}
	content, err := engine.Open(ctx, env.ID)
	if err != nil {
		return err
	}
	r, err := content.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(h, r)
	return err
}
