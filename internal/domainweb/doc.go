// Package domainweb is the pages that a mail domain has on the web: its MTA-STS policy
// (RFC 8461, 3.2), and the settings that people's programs ask for, as Thunderbird and
// others (autoconfig) and as Outlook (autodiscover) want them. [Handler] answers for some
// domains, and knows no other page.
//
//	https://mta-sts.example.org/.well-known/mta-sts.txt
//	https://autoconfig.example.org/mail/config-v1.1.xml
//	https://example.org/.well-known/autoconfig/mail/config-v1.1.xml
//	https://autodiscover.example.org/autodiscover/autodiscover.xml
//
// The pages say what the configuration says, and nothing about who has a mailbox: whoever
// asks for the settings of an address gets the same whether there is somebody or not.
package domainweb
