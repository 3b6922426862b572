package queue_test

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/queue"
)

const benchSize = 50_000

// benchJobs are 50,000 messages with one recipient each.
func benchJobs(destinations int) []queue.Job {
	jobs := make([]queue.Job, benchSize)
	for i := range jobs {
		j := queue.Job{Sender: fmt.Sprintf("sender%d@example.org", i%100), Arrived: start}
		binary.BigEndian.PutUint64(j.Message[4:], uint64(i))
		j.To = []queue.Recipient{{Hop: hop(fmt.Sprintf("d%d.example", i%destinations), "mx")}}
		jobs[i] = j
	}
	return jobs
}

func benchSchedule() *queue.Schedule {
	return queue.New(queue.Options{
		Window: 20 * benchSize, Deliveries: benchSize,
		Default: queue.Route{All: queue.Limits{Deliveries: -1}, Site: queue.Limits{Deliveries: -1}, Destination: queue.Limits{Deliveries: -1}},
	})
}

// BenchmarkRecipient measures what one recipient costs in each call, in a
// window that fills up to 50,000.
func BenchmarkRecipient(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		jobs := benchJobs(n)
		b.Run(fmt.Sprintf("destinations=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var add, next, settle, deferred time.Duration
			for b.Loop() {
				s, now := benchSchedule(), start
				// Everything is deferred once, comes back, and is relayed.
				for _, fate := range []mail.Fate{mail.Deferred, mail.Relayed} {
					t0 := time.Now()
					for i := range jobs {
						s.Add(now, jobs[i])
					}
					add += time.Since(t0)
					for left := benchSize; left > 0; {
						t0 = time.Now()
						starts, _ := s.Next(now)
						next += time.Since(t0)
						left -= len(starts)
						t0 = time.Now()
						for i := range starts {
							s.Settle(now, starts[i].ID, []mail.Outcome{{Fate: fate, At: now, Reply: later}})
						}
						if fate == mail.Deferred {
							deferred += time.Since(t0)
						} else {
							settle += time.Since(t0)
						}
					}
					now = now.Add(time.Hour)
				}
				if s.Load().Recipients != 0 {
					b.Fatal("some are left")
				}
			}
			per := func(d time.Duration, times int) float64 {
				return float64(d) / float64(b.N) / benchSize / float64(times)
			}
			b.ReportMetric(per(add, 2), "ns/Add")
			b.ReportMetric(per(next, 2), "ns/Next")
			b.ReportMetric(per(deferred, 1), "ns/Settle-deferred")
			b.ReportMetric(per(settle, 1), "ns/Settle-relayed")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkWant measures the look over a full window.
func BenchmarkWant(b *testing.B) {
	s := benchSchedule()
	for _, j := range benchJobs(10_000) {
		s.Add(start, j)
	}
	for b.Loop() {
		s.Want(start)
	}
}
