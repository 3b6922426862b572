package daemon

import (
	"context"
	"crypto/tls"
	"path/filepath"

	"github.com/posthouse/posthouse/internal/acme"
	"github.com/posthouse/posthouse/internal/acme/shelf"
)

// acmeDirectory is where certificates of an authority are, below the data directory.
const acmeDirectory = "acme"

// keeping is a keeper of certificates and its work. Without a keeper there is nothing
// to do.
type keeping struct {
	keeper *acme.Keeper
	from   string // URL of the authority
	cancel context.CancelFunc
	done   chan struct{} // nil: the work has not begun
}

// keeper opens the certificates that were got before. Nobody is asked for others yet.
func (b *builder) keeper(c *certificates) {
	a := &b.cfg.ACME
	if !a.Used() {
		return
	}
	o := acme.Options{
		Dir: filepath.Join(b.cfg.Data.Value, acmeDirectory), Directory: a.Directory.Value, Roots: b.authorities(a.CA),
		Names: a.Names.Value, HTTP: a.HTTP.Value, TLSALPN: a.TLSALPN.Value, ReuseKey: a.ReuseKey.Value,
		Log: b.world.Log, Changed: c.publish,
	}
	if o.Roots == nil {
		o.Roots = b.world.Roots
	}
	if b.cfg.Spool.Shared() {
		o.Store, o.Node = b.shelf(), b.cfg.NodeName()
	}
	if !a.Email.Value.IsNull() {
		o.Email = a.Email.Value.String()
	}
	if a.AccountID.Given() {
		o.Account = acme.Account{ID: a.AccountID.Value, Key: b.password(&a.AccountKey)}
	}
	k, err := acme.Open(context.Background(), o)
	if err != nil {
		b.add(a.Origin, "%v", err)
		return
	}
	c.acme.keeper, c.acme.from = k, a.Directory.Value
}

// shelf is where nodes that share a spool share certificates. Only a key that they share, too, can
// seal them.
func (b *builder) shelf() *shelf.Shelf {
	o := shelf.Options{States: b.states}
	if b.cfg.SealKey.Given() {
		o.Key = b.sealKey()
	}
	return shelf.New(o)
}

// look takes up what other nodes have got: the spool was not open when the keeper was.
func (k *keeping) look(ctx context.Context) {
	if k.keeper != nil {
		k.keeper.Look(ctx)
	}
}

// begin lets the keeper work. Whoever listens for its challenges does so already.
func (k *keeping) begin() {
	if k.keeper == nil || k.done != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel, k.done = cancel, make(chan struct{})
	go func() {
		defer close(k.done)
		k.keeper.Run(ctx)
	}()
}

// close ends the work and waits for its end.
func (k *keeping) close() {
	if k.keeper == nil {
		return
	}
	if k.done != nil {
		k.cancel()
		<-k.done
	}
	k.keeper.Close()
}

// got are the certificates that there are, by name.
func (k *keeping) got() map[string]*tls.Certificate {
	all := map[string]*tls.Certificate{}
	if k.keeper != nil {
		for _, s := range k.keeper.States() {
			all[s.Name] = s.Certificate
		}
	}
	return all
}
