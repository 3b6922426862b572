package bench

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/smtp"
)

// tally is what came of a load. Its JSON form is for programs.
type tally struct {
	Messages     int     `json:"messages"` // accepted for all recipients
	Failed       int     `json:"failed"`
	Seconds      float64 `json:"seconds"`
	MessageRate  float64 `json:"messages_per_second"`
	OctetRate    float64 `json:"octets_per_second"`
	Latency      latency `json:"latency_ms"`
	FirstFailure string  `json:"first_failure,omitempty"`
	err          error   // the first
	last         error   // of the message before
	latencies    latencies
}

// latency is in milliseconds.
type latency struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func (t *tally) count(err error, d time.Duration) {
	t.last = err
	if err == nil {
		t.Messages++
		t.latencies.add(d)
		return
	}
	t.Failed++
	if t.err == nil {
		t.err = err
	}
}

func (t *tally) merge(other *tally) {
	t.Messages += other.Messages
	t.Failed += other.Failed
	t.latencies.merge(&other.latencies)
	if t.err == nil {
		t.err = other.err
	}
}

func (t *tally) reckon(size int) {
	t.MessageRate = float64(t.Messages) / max(t.Seconds, 1e-9)
	t.OctetRate = t.MessageRate * float64(size)
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	t.Latency = latency{
		P50: ms(t.latencies.percentile(0.5)),
		P90: ms(t.latencies.percentile(0.9)),
		P99: ms(t.latencies.percentile(0.99)),
		Max: ms(t.latencies.most),
	}
	if t.err != nil {
		t.FirstFailure = t.err.Error()
	}
}

func (t *tally) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return cli.PrintJSON(w, t)
	}
	_, err := fmt.Fprintf(w, `%d messages accepted, %d not, in %.3f s
%.0f messages/s, %s/s
latency: half within %.2f ms, 90 %% within %.2f ms, 99 %% within %.2f ms, all within %.2f ms
`, t.Messages, t.Failed, t.Seconds, t.MessageRate, cli.Octets(int64(t.OctetRate)),
		t.Latency.P50, t.Latency.P90, t.Latency.P99, t.Latency.Max)
	return err
}

// shortfall says how many messages were not accepted, and how many were not
// even tried since the load came to its end before them.
func (t *tally) shortfall(wanted int) string {
	untried := wanted - t.Messages - t.Failed
	switch {
	case untried == 0:
		return fmt.Sprintf("%d of %d messages were not accepted; the first", t.Failed, wanted)
	case t.Failed == 0:
		return fmt.Sprintf("%d of %d messages were not sent", untried, wanted)
	}
	return fmt.Sprintf("%d of %d messages were not accepted, and %d more not sent; the first", t.Failed, wanted, untried)
}

// status tells refusals, which will come again, from what may pass.
func (t *tally) status() cli.Status {
	var reply *smtp.Reply
	if errors.As(t.err, &reply) && reply.Code.Permanent() {
		return cli.Unavailable
	}
	return cli.DialStatus(t.err)
}
