package admintest

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/internal/transport"
	"github.com/posthouse/posthouse/smtp"
)

// road is a transport to hosts that do as the names of their domains say: grey
// defers, down does not answer, slow takes its time, full refuses, and all others
// take the mail.
type road struct{}

func (road) Plan(_ context.Context, hop mail.Hop) transport.Plan {
	if strings.HasPrefix(hop.Destination, "null.") {
		return transport.Plan{Site: hop.Destination, Until: time.Now().Add(time.Hour), Fault: &mail.Outcome{
			Fate: mail.Failed, Local: true, Reply: smtp.Replyf(556, smtp.EnhancedCode{5, 1, 10}, "The domain %s takes no mail (null MX)", hop.Destination),
		}}
	}
	return transport.Plan{Site: hop.Destination, Until: time.Now().Add(time.Hour), Hosts: []transport.Host{
		{Name: "mx1." + hop.Destination, Preference: 10, TLS: "opportunistic", Addrs: []netip.AddrPort{
			netip.MustParseAddrPort("192.0.2.25:25"), netip.MustParseAddrPort("[2001:db8::25]:25"),
		}},
		{Name: "mx2." + hop.Destination, Preference: 20, TLS: "opportunistic", Addrs: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.26:25")}},
	}}
}

func (road) Deliver(ctx context.Context, d transport.Delivery) []mail.Outcome {
	s := transport.NewSheet(&d)
	s.DecideAll(outcome(ctx, d.Hop.Destination))
	return s.Outcomes()
}

func outcome(ctx context.Context, destination string) mail.Outcome {
	word, _, _ := strings.Cut(destination, ".")
	o := mail.Outcome{Took: 42 * time.Millisecond, Host: "mx1." + destination, Addr: "192.0.2.25:25", TLS: "TLS 1.3 TLS_AES_128_GCM_SHA256", Stage: smtp.Dot}
	switch word {
	case "grey":
		o.Fate, o.Stage, o.Reply = mail.Deferred, smtp.VerbRCPT, smtp.Replyf(450, smtp.EnhancedCode{4, 7, 1}, "Greylisted, come back later")
	case "full":
		o.Fate, o.Stage, o.Reply = mail.Failed, smtp.VerbRCPT, smtp.Replyf(552, smtp.EnhancedCode{5, 2, 2}, "Mailbox full")
	case "down":
		return mail.Outcome{
			Fate: mail.Deferred, Local: true, HostDown: true,
			Reply: smtp.Replyf(451, smtp.EnhancedCode{4, 4, 1}, "mx1.%s: connection refused", destination),
			Tried: "mx1." + destination + " [192.0.2.25]:25: connection refused",
		}
	case "slow":
		<-ctx.Done()
		return transport.Interrupted()
	default:
		o.Fate, o.Reply = mail.Relayed, smtp.Replyf(250, smtp.EnhancedCode{2, 0, 0}, "Ok: queued as 4711")
	}
	return o
}

// box is a transport into mailboxes.
type box struct{}

func (box) Deliver(_ context.Context, d transport.Delivery) []mail.Outcome {
	s := transport.NewSheet(&d)
	s.DecideAll(mail.Outcome{Fate: mail.Delivered})
	return s.Outcomes()
}
