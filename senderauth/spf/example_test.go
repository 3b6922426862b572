package spf_test

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/posthouse/posthouse/senderauth"
	"github.com/posthouse/posthouse/senderauth/spf"
)

// A server asks when it has heard MAIL FROM. In place of the zone stands
// net.DefaultResolver, or a resolver that caches.
func Example() {
	dns := zone{
		"TXT example.org":      {"v=spf1 mx include:_spf.example.net -all"},
		"MX example.org":       {"mx.example.org"},
		"A mx.example.org":     {"192.0.2.1"},
		"TXT _spf.example.net": {"v=spf1 ip4:198.51.100.0/24 -all"},
	}
	for _, client := range []string{"198.51.100.7", "203.0.113.9"} {
		res := spf.Check(context.Background(), dns, spf.Query{
			IP:       netip.MustParseAddr(client),
			Helo:     "mail.example.net",
			MailFrom: "jo@example.org",
		}, spf.Options{})
		switch res.Verdict {
		case senderauth.Pass:
			fmt.Println(client, "may send for", res.Domain, "by", res.Mechanism)
		case senderauth.TempError:
			fmt.Println("451 4.4.3 ask again later:", res.Err)
		default: // alone no reason to refuse: see the package dmarc
			fmt.Println(client, res.Verdict, "for", res.Domain, "by", res.Mechanism)
		}
	}
	// Output:
	// 198.51.100.7 may send for example.org by include:_spf.example.net
	// 203.0.113.9 fail for example.org by -all
}
