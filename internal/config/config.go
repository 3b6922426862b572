package config

import (
	"net/netip"
	"time"

	"github.com/posthouse/posthouse/internal/mail"
	"github.com/posthouse/posthouse/smtp"
)

// Config is a configuration that has been checked. Names of files and
// directories in it are absolute, or relative to the working directory if the
// name of the configuration is.
type Config struct {
	File string // as it was given to Parse

	Hostname   Setting[string]    // in greetings and trace fields
	Data       Setting[string]    // directory of the spool and of mailboxes
	User       Setting[string]    // whom the program becomes after it has opened its listeners as root; "": nobody else
	Postmaster Setting[smtp.Path] // for domains that name none, and for reports that cannot be delivered; null: not set
	Schedule                      // of routes that say nothing else

	SealKey      Secret // seals the tokens that are kept, and hides names typed at a login; none: a file of our own
	Certificates []Certificate
	ACME         ACME
	HTTPS        HTTPS
	Listen       []Listen
	Relay        Relay
	Users        Users
	Domains      []Domain
	Policy       Policy
	Forwarding   Forwarding
	Routes       []Route // in the order in which they are asked; the built-in ones last
	Limits       Limits  // of listeners that say nothing else
	Queue        Queue
	Spool        Spool
	Journal      Journal
	DNS          DNS
	Reports      Reports
	Security     Security
	Console      Console
	Inbox        Inbox
	TLS          []TLS // in the order in which they are asked

	lines []string // of the file
}

// Problem makes a problem of something that shows only when the configuration is
// used, such as a file that it names and that cannot be read.
func (c *Config) Problem(at mail.Origin, message string) Problem {
	ps := problems{file: c.File, lines: c.lines}
	ps.add(at, "", "%s", message)
	return ps.found[0]
}

// Certificate is a certificate with its key, in PEM form. With none, one is made
// for the run.
type Certificate struct {
	Origin mail.Origin
	Chain  Setting[string] // file: the certificate first, then those that vouch for it
	Key    Secret
}

// Kinds of listeners.
const (
	ListenSMTP        = "smtp"
	ListenSubmission  = "submission"  // RFC 6409: what is wrong with a message is repaired
	ListenSubmissions = "submissions" // the same, and TLS from the beginning (RFC 8314)
	ListenLMTP        = "lmtp"        // RFC 2033
	ListenInbox       = "inbox"       // whatever comes is kept, to be looked at
)

// Listen is where mail comes in.
type Listen struct {
	Kind        string // one of the kinds
	Origin      mail.Origin
	Name        Setting[string]         // in the journal; unique
	Address     Setting[[]string]       // "HOST:PORT", HOST an IP address or empty; LMTP: or "unix:FILE"
	TLS         Setting[string]         // "off", "offer", "require" or "implicit"
	ProxyFrom   Setting[[]netip.Prefix] // peers that must begin with a PROXY header
	XClientFrom Setting[[]netip.Prefix] // peers that may say XCLIENT
	ClientCA    Setting[string]         // submission: file of those whose client certificates are logins; "": none
	CRAMMD5     Setting[bool]           // submission: CRAM-MD5 is offered
	HideClient  Setting[bool]           // submission: Received does not tell the client's name and address
	Policy      Setting[string]         // the severest that policy may do to what comes in here, or PolicyOff
	Limits      Limits
}

// Submits reports whether it is a listener for people's programs.
func (l *Listen) Submits() bool { return l.Kind == ListenSubmission || l.Kind == ListenSubmissions }

// Limits bound what a client can make a listener do.
type Limits struct {
	MessageSize Setting[int64] // octets
	TextLine    Setting[int]   // octets of a line of text with CRLF, or None
	Recipients  Setting[int]   // of a transaction
	Messages    Setting[int]   // of a session, or None
	Errors      Setting[int]   // refused commands before 421

	Connections Setting[int] // at a time
	PerAddress  Setting[int] // at a time, from one IPv4 address or IPv6 /64

	Idle      Setting[time.Duration] // until a command is complete
	DataIdle  Setting[time.Duration] // without an octet of the text
	Session   Setting[time.Duration] // of a connection
	Handshake Setting[time.Duration] // of TLS or PROXY
	DataRate  Setting[int64]         // least octets a second of text ...
	DataGrace Setting[time.Duration] // ... from this on
}

// Relay says whose mail is taken for others than our domains.
type Relay struct {
	Origin   mail.Origin
	Networks Setting[[]netip.Prefix] // clients that may send to everybody
	Domains  Setting[[]Pattern]      // recipients to whom everybody may send: we are their backup MX
}

// Users is who may log in at the listeners for submission.
type Users struct {
	Origin mail.Origin // zero: nobody

	// One of these says who they are.
	File    Setting[string] // see package userfile
	Dovecot Setting[string] // the socket "auth-client" of Dovecot
	LDAP    LDAP
	SQL     SQL

	OAuth Issuer // whose tokens are taken besides

	Senders    Setting[string] // "own", "domain" or "any": as whom those may send of whom the directory does not say it
	Messages   Setting[Rate]   // of each of them
	Recipients Setting[Rate]   // of each of them
}

// Domain is a domain whose mail ends here.
type Domain struct {
	Name     string // A-labels, lower case
	Origin   mail.Origin
	Also     Setting[[]string]  // alias domains, written as Name is: each address exists in them too
	Deliver  Setting[string]    // name of the route that takes the mail to the mailboxes
	CatchAll Setting[smtp.Path] // takes mail for whom nobody knows; null: refused

	Mailboxes     Setting[[]string]  // local parts, without quoting
	MailboxFiles  Setting[[]string]  // files of them, one a line
	Aliases       Setting[[]string]  // files of "name: target, target" and "name target"
	Postmaster    Setting[smtp.Path] // null: that of the configuration, or a mailbox of that name
	Forwards      []Forward
	Tags          Setting[string] // characters of which each may begin a tag: "+" for name+tag; "": none
	KeepTags      Setting[bool]   // the tag stays in the address that goes to the route
	CaseSensitive Setting[bool]   // Anna and anna are two
	MTASTS        Setting[string] // of the policy that HTTPS serves: STSNone, STSTesting or STSEnforce; "": there is no HTTPS
	Policy        Setting[string] // the severest that policy may do to mail for it

	// Files in the form of Unix, and what they may do.
	UnixAliases Setting[[]string]
	UnixInclude Setting[[]string] // directories below which :include: may read
	UnixPipes   Setting[bool]     // |command
	UnixFiles   Setting[bool]     // /file
}

// Forward is somebody who has gone elsewhere.
type Forward struct {
	Name   string // local part, without quoting
	Origin mail.Origin
	To     Setting[smtp.Path]
	Answer Setting[int] // 250: forwarded silently; 251: forwarded, and the sender is told; 551: refused, and the sender is told
}

// Transports of routes, as the settings that name them.
const (
	Remote    = "remote"
	Smarthost = "smarthost"
	LMTP      = "lmtp"
	Maildir   = "maildir"
	Pipe      = "pipe"
	IntoInbox = "inbox"
	Discard   = "discard"
)

// Names of routes that exist without being written. One that is written takes
// the place of the built-in one.
const (
	DefaultRoute   = "default"   // what no other route takes: to the hosts that DNS names
	MailboxesRoute = "mailboxes" // mail of domains that name no route: into Maildirs below the data directory
)

// Route says where mail goes next. The conditions that are given must all fit,
// and of each list one entry.
type Route struct {
	Name   string
	Origin mail.Origin

	To       Setting[[]Pattern]      // the recipient
	From     Setting[[]Pattern]      // the sender of the envelope
	Networks Setting[[]netip.Prefix] // the client
	Logins   Setting[[]string]       // who logged in; "*": anybody who did

	// Transport names the one of the following that is set.
	Transport string
	Remote    Setting[bool]     // to the hosts that DNS names
	Smarthost Setting[[]string] // "HOST:PORT", asked in this order
	LMTP      Setting[[]string] // "HOST:PORT" or "unix:FILE", asked in this order
	Maildir   Setting[string]   // directory, with %{user} and %{domain}; below Config.Data if it is relative
	Pipe      Setting[[]string] // a program and its arguments, with %{user}, %{domain}, %{sender}, %{recipient}, %{id}; "%%" is a percent sign
	Inbox     Setting[string]   // the test inbox of mail that says nothing else
	Discard   Setting[bool]

	TLS      Setting[string]        // remote, smarthost, lmtp: "require", "opportunistic", "implicit", "never"
	CA       Setting[string]        // smarthost, lmtp: file of trusted certificates; "": those of the system
	User     Setting[string]        // smarthost, lmtp: logs in with ...
	Password Secret                 // ... the first line of this,
	OAuth    OAuth                  // ... or a token (smarthost)
	Quota    Setting[int64]         // maildir: octets, or None
	Timeout  Setting[time.Duration] // pipe: the program is ended after it

	Schedule
	Limits RouteLimits

	// ByName: no mail finds the route by its conditions, but a domain names it.
	ByName bool
}

// RouteLimits bound the deliveries of a route. A site is all the destinations
// that the same hosts serve.
type RouteLimits struct {
	Deliveries  Setting[int] // at a time, of the route
	Rate        Setting[Rate]
	Site        Setting[int] // at a time, to a site
	SiteRate    Setting[Rate]
	Destination Setting[int] // at a time, to a destination
	DestRate    Setting[Rate]
	Recipients  Setting[int] // of one delivery
}

// Queue is how much of the queue is held in memory and at work.
type Queue struct {
	Window     Setting[int]   // recipients
	Deliveries Setting[int]   // at a time in all
	Memory     Setting[int64] // octets of bodies kept for their first delivery
	Hold       Setting[bool]  // mail is taken, and none is sent while this holds
}

// Journal is the record of what became of mail.
type Journal struct {
	Keep Setting[time.Duration]
	Size Setting[int64] // octets
}

// DNS is who is asked.
type DNS struct {
	Servers Setting[[]netip.AddrPort] // none: those of the system
	Timeout Setting[time.Duration]    // for one question to one server
	Trusted Setting[bool]             // servers that are elsewhere are believed when they say that an answer is signed
	// Loopback: mail may go to hosts that the DNS puts at loopback addresses. Else
	// they are taken for ourselves.
	Loopback Setting[bool]
}

// Reports is what happens to delivery reports.
type Reports struct {
	DoubleBounce Setting[string] // those that cannot be delivered: "postmaster" or "drop"
}
