//go:build linux

package main

import (
	"context"
	"path/filepath"

	"github.com/posthouse/posthouse/bench/internal/load"
)

// The figures of connections that carry no message.
const (
	handshakes    = "handshakes_per_second"
	handshakeCost = "cpu_us_per_handshake"
)

func (p place) chain() string { return filepath.Join(p.dir, "tls.pem") }
func (p place) key() string   { return filepath.Join(p.dir, "tls.key") }

// secureWorkloads are those under TLS. No session is resumed, and all servers have the like
// of a certificate.
func secureWorkloads() []workload {
	return []workload{
		{
			name: "tls-new", about: "20 sessions at a time: STARTTLS, a full handshake and QUIT, without a message", mode: secure,
			load:    load.Load{Sessions: 20, Messages: most, TLS: true, Fresh: true, Bare: true},
			measure: measureHandshakes,
			columns: []column{{handshakes, "handshakes/s", 0, true}, {handshakeCost, "CPU µs/handshake", 0, true}, columnCores, columnOthers},
			goals:   []goal{{figure: handshakes, times: true, least: 1}},
		}, {
			name: "tls-4k-20", about: "4 KB, 20 sessions that stay open, under TLS: accepted durably, none delivered", mode: secure,
			load:    load.Load{Sessions: 20, Messages: most, Size: 4 << 10, TLS: true},
			measure: measureAccept,
			columns: []column{columnRate, columnCost, columnCores, columnOthers},
			goals:   []goal{{figure: rate, times: true, least: 3}},
		},
	}
}

// measureHandshakes counts connections until the last has ended.
func measureHandshakes(ctx context.Context, b bench, who peer, w workload) (figures, error) {
	f, err := measureAccept(ctx, b, who, w)
	if err != nil {
		return nil, err
	}
	return figures{handshakes: f[rate], handshakeCost: f[cost], cores: f[cores], others: f[others]}, nil
}
