package daemon

import (
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/config"
	"github.com/posthouse/posthouse/internal/queue"
	"github.com/posthouse/posthouse/internal/route"
)

// buildRoutes makes the table: the domains that live here come first, then the routes in
// the order of the file.
func (b *builder) buildRoutes(r *rooms) error {
	var rules []route.Rule
	for i := range b.cfg.Domains {
		d := &b.cfg.Domains[i]
		to, ok := b.cfg.Route(d.Deliver.Value)
		if !ok {
			b.add(d.Deliver.Origin, "there is no route %q", d.Deliver.Value)
			continue
		}
		rule := route.Rule{Name: to.Name, Origin: to.Origin, Way: wayOf(to)}
		if d.Deliver.Given() {
			rule.Origin = d.Deliver.Origin
		}
		patterns, err := patternsOf(append([]string{d.Name}, d.Also.Value...))
		if err != nil {
			b.add(d.Origin, "%v", err)
		}
		rule.To = patterns
		rules = append(rules, rule)
	}
	for i := range b.cfg.Routes {
		if c := &b.cfg.Routes[i]; !c.ByName {
			rules = append(rules, b.ruleOf(c))
		}
	}
	table, err := route.New(rules)
	r.table = table
	return err
}

func (b *builder) ruleOf(c *config.Route) route.Rule {
	to, err := patternsOf(c.To.Value)
	if err != nil {
		b.add(c.To.Origin, "%v", err)
	}
	from, err := patternsOf(c.From.Value)
	if err != nil {
		b.add(c.From.Origin, "%v", err)
	}
	return route.Rule{
		Name: c.Name, Origin: c.Origin,
		To: to, From: from, Source: c.Networks.Value, Login: c.Logins.Value,
		Way: wayOf(c),
	}
}

// wayOf is what carries the mail of a route, and the destination, which is what
// limits count by.
func wayOf(c *config.Route) route.Way {
	w := route.Way{Transport: nameOf(c)}
	switch c.Transport {
	case config.Smarthost:
		w.Hosts = c.Smarthost.Value
	case config.LMTP:
		w.Destination = strings.Join(c.LMTP.Value, ", ")
	case config.Maildir:
		w.Mailbox = true
	case config.Pipe:
		w.Destination = c.Pipe.Value[0]
	}
	return w
}

// nameOf is the name of the transport of a route. Each route has its own, but
// the built-in one.
func nameOf(c *config.Route) string {
	if c.Name == config.DefaultRoute || c.Transport == config.Discard {
		return c.Transport
	}
	return c.Transport + ":" + c.Name
}

func patternsOf[S ~string](texts []S) ([]route.Pattern, error) {
	var all []route.Pattern
	for _, t := range texts {
		p, err := route.ParsePattern(string(t))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// queue is when mail is tried.
func (b *builder) queue() queue.Options {
	o := queue.Options{
		Seed:       b.world.Seed,
		Window:     b.cfg.Queue.Window.Value,
		Deliveries: b.cfg.Queue.Deliveries.Value,
		Routes:     map[string]queue.Route{},
	}
	for i := range b.cfg.Routes {
		o.Routes[b.cfg.Routes[i].Name] = scheduleOf(&b.cfg.Routes[i])
	}
	return o
}

func scheduleOf(c *config.Route) queue.Route {
	l := &c.Limits
	r := queue.Route{
		Expire: c.Expire.Value, Warn: c.Warn.Value, Batch: l.Recipients.Value,
		All:         limitsOf(l.Deliveries.Value, l.Rate.Value),
		Site:        limitsOf(l.Site.Value, l.SiteRate.Value),
		Destination: limitsOf(l.Destination.Value, l.DestRate.Value),
		Own:         ofThisMachine(c.Transport),
		Said: queue.Said{
			Retry: c.Retry.Origin, Expire: c.Expire.Origin, Warn: c.Warn.Origin, Batch: l.Recipients.Origin,
			All: l.Deliveries.Origin, Site: l.Site.Origin, Destination: l.Destination.Origin,
			AllRate: l.Rate.Origin, SiteRate: l.SiteRate.Origin, DestRate: l.DestRate.Origin,
		},
	}
	for _, d := range c.Retry.Value {
		r.Retry = append(r.Retry, queue.Delay(d))
	}
	if c.Transport != config.Remote {
		r.Start = r.Destination.Deliveries // the host is no stranger: whoever named it knows what it bears
	}
	if c.Retry.Given() {
		r.Probe = r.Retry // who says when to try means hosts that are down too
	}
	return r
}

// ofThisMachine reports whether a transport leads nowhere beyond the node: what it is limited for is
// the node's own.
func ofThisMachine(transport string) bool {
	return transport != config.Remote && transport != config.Smarthost && transport != config.LMTP
}

func limitsOf(deliveries int, rate config.Rate) queue.Limits {
	return queue.Limits{Deliveries: deliveries, Rate: rate.Count, Per: rate.Per}
}

// latestRetry is how long mail is put off at the most, by any route.
func latestRetry(c *config.Config) (latest time.Duration) {
	for i := range c.Routes {
		for _, d := range c.Routes[i].Retry.Value {
			latest = max(latest, d.Min, d.Max)
		}
	}
	return latest
}
