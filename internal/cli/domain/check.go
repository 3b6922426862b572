package domain

import (
	"context"
	"io"

	"github.com/posthouse/posthouse/internal/cli"
	"github.com/posthouse/posthouse/internal/dns"
	"github.com/posthouse/posthouse/internal/domainsetup"
	"github.com/posthouse/posthouse/internal/publicweb"
	"github.com/posthouse/posthouse/internal/tlspolicy/mtasts"
)

// world is the DNS and the web.
func (o *options) world() (domainsetup.World, error) {
	c, err := cli.Resolver(o.servers)
	if err != nil {
		return domainsetup.World{}, err
	}
	if o.timeout <= 0 {
		return domainsetup.World{}, cli.Fail(cli.Usage, "--timeout %s is no time to wait", o.timeout)
	}
	c.TrustAD = c.TrustAD || o.trusted
	c.Timeout = o.timeout
	web := &publicweb.Client{Resolver: c}
	return domainsetup.World{DNS: c, Fetch: func(ctx context.Context, domain dns.Name) (mtasts.Policy, error) {
		return mtasts.Fetch(ctx, web, domain)
	}}, nil
}

// statusOf is how a check ends.
func statusOf(found []domainsetup.Finding) cli.Status {
	status := cli.OK
	for _, f := range found {
		switch f.State {
		case domainsetup.Missing, domainsetup.Wrong:
			return cli.DataErr
		case domainsetup.Unknown:
			status = cli.TempFail
		}
	}
	return status
}

// report is a check as JSON.
type report struct {
	Domain   string    `json:"domain"`
	OK       bool      `json:"ok"`
	Findings []finding `json:"findings"`
}

type finding struct {
	For   string `json:"for"`
	State string `json:"state"` // "good", "advice", "missing", "wrong" or "unknown"
	About string `json:"about"`
	Says  string `json:"says"`
	Fix   string `json:"fix,omitempty"`
}

// tell prints what was found.
func (o *options) tell(out io.Writer, domain string, found []domainsetup.Finding) error {
	if o.json {
		r := report{Domain: domain, OK: statusOf(found) == cli.OK}
		for _, f := range found {
			r.Findings = append(r.Findings, finding{f.For, string(f.State), f.About, f.Says, f.Fix})
		}
		if err := cli.PrintJSON(out, r); err != nil {
			return cli.Fail(cli.IOErr, "%w", err)
		}
		return nil
	}
	p := cli.NewPage(out)
	counts := map[domainsetup.State]int{}
	for i := range found {
		counts[found[i].State]++
		line(p, &found[i])
	}
	p.Blank()
	p.Line(summary(domain, counts))
	return p.Print(out)
}

func line(p *cli.Page, f *domainsetup.Finding) {
	const column = 19
	head := cli.Left(string(f.State), 9) + cli.Left(f.For, column-9)
	p.Text(head, f.About+": "+f.Says)
	if f.Fix != "" { // records are not wrapped: they are copied
		p.Line(cli.Left("", column-1) + "> " + f.Fix)
	}
}

// summary is the last line.
func summary(domain string, counts map[domainsetup.State]int) string {
	said := ""
	for _, s := range []domainsetup.State{domainsetup.Missing, domainsetup.Wrong, domainsetup.Unknown, domainsetup.Advice} {
		if n := counts[s]; n > 0 {
			if said != "" {
				said += ", "
			}
			said += cli.Number(n) + " " + string(s)
		}
	}
	if said == "" {
		return domain + ": everything is as it should be"
	}
	return domain + ": " + said + ", " + cli.Number(counts[domainsetup.Good]) + " good"
}
