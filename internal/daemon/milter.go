package daemon

import (
	"context"
	"io"
	"net"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/policy"
	"github.com/posthouse/posthouse/internal/policy/milter"
)

// milters are the programs that hear of mail, in their order.
func (b *builder) milters() []policy.Check {
	var all []policy.Check
	for i := range b.cfg.Policy.Milters {
		all = append(all, b.milter(&b.cfg.Policy.Milters[i]))
	}
	return all
}

func (b *builder) milter(m *config.Milter) *milter.Milter {
	at := endpointOf(m.Address.Value)
	o := milter.Options{
		Name: m.Name, Network: at.network, Address: at.address, Hostname: b.cfg.Hostname.Value,
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			return b.world.anywhere(ctx, network, address)
		},
		Listeners: m.Listeners.Value,
		Connect:   m.Connect.Value, Command: m.Command.Value, Content: m.Content.Value, End: m.End.Value,
		Failure: actionOf(m.Failure.Value), Origin: m.Failure.Origin,
		BodySize: b.cfg.Limits.MessageSize.Value,
	}
	if !m.Failure.Given() {
		o.Origin = m.Origin
	}
	return milter.New(o)
}

// closePanels ends what checks hold open. Sessions go on to their end.
func (r *rooms) closePanels() {
	for _, p := range r.panels {
		for _, c := range p.Checks {
			if c, ok := c.(io.Closer); ok { // one that several panels have is closed again, which it does not mind
				_ = c.Close()
			}
		}
	}
}
