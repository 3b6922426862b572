# Every setting. What stands behind "default:" holds where a setting is left out;
# the values here are the defaults, or examples where there is none.
#
# Names of files are relative to the directory of this file. A list of one may stand
# without brackets. Text may hold "${env("NAME")}" or "${env("NAME", "default")}"; no
# other environment variable is looked at.

hostname   = "mx.example.org"      # in greetings and trace fields; must be given
data       = "/var/lib/posthouse"  # the spool, and mailboxes; default: this
user       = "posthouse"           # whom root becomes when its ports are open; default: nobody else
postmaster = "jane@example.org"    # of domains that name none; default: each has a mailbox of that name

# Tokens for relays that want OAuth 2 are kept sealed with this key, a secret of 16 octets or
# more, and names typed at a login are hidden by it. Nodes that share a spool need the same.
# Default: seal.key in the data directory, which is made when it is needed.
seal_key_file = "/etc/posthouse/seal.key" # others must not be able to read it. Or one of these:
#   seal_key_env        = "VARIABLE"
#   seal_key_command    = ["/usr/bin/pass", "seal"]   what it prints, at the start and with each reload
#   seal_key_credential = "seal"                      LoadCredential=seal:FILE in the systemd unit

# When mail that was deferred is tried again. The last delay is for all that follow;
# a range is some time in it, so that mail does not come back in a herd. A host that is
# down is tried at these times too, with one message for all; by default more often,
# up to every half hour. Each route may say otherwise.
retry  = ["1m", "5m", "15m", "1h..4h"] # default: this
expire = "5d"                          # given up after; default: this
warn   = "4h"                          # the sender hears of the delay; "none": never; default: this

# What a client can make us do. Each listener may say otherwise. Defaults: these.
limits {
  message_size = "50MiB"
  text_line    = "none"  # octets of a line of text; RFC 5321 says 1000, and real mail exceeds it
  recipients   = 1000    # of a message
  messages     = "none"  # of a session
  errors       = 20      # refused commands before 421
  connections  = 10000   # at a time
  per_address  = 100     # at a time, from one IPv4 address or IPv6 /64
  idle         = "5m"    # until a command is complete
  data_idle    = "3m"    # without an octet of the text
  session      = "4h"    # of a connection
  handshake    = "30s"   # of TLS or PROXY
  data_rate    = 100     # least octets a second of text ...
  data_grace   = "1m"    # ... from then on
}

# What of the queue is in memory and at work. Defaults: these.
queue {
  window     = 50000   # recipients; others wait on disk
  deliveries = 500     # at a time in all
  memory     = "64MiB" # of bodies that are kept for their first delivery
  hold       = false   # true: mail is taken, and none is sent until this is false again
}

# Where mail waits. Defaults: these.
spool {
  file_bodies  = "128KiB" # bodies from this size on are files of their own
  draft_memory = "128MiB" # of bodies on their way in; beyond it they go to files
  reserve      = "256MiB" # with less left on the disk no mail is taken (452)
}

# Or in a PostgreSQL that several nodes share (posthouse spool migrate makes its tables):
#
# spool {
#   postgres      = "postgres://posthouse@db1.example.org,db2.example.org/posthouse" # whichever is the primary, by TLS; or ".../posthouse?host=/run/postgresql"
#   ca            = "db-ca.pem"     # trusted certificates; default: those of the system
#   password_file = "db.password"   # the first line; or password_env, password_command, password_credential
#   durability    = "synchronous"   # or "primary": a 250 may be lost with the primary's disk; default: this
#   node          = "mx1"           # a name that no other node has; default: the hostname
#   draft_memory  = "128MiB"        # default: this
# }

# What became of mail is recorded. Defaults: these.
journal {
  keep = "30d"
  size = "2GB"
}

dns {
  servers  = ["127.0.0.1", "192.0.2.53:5353"] # default: those of the system
  timeout  = "5s"                             # for one question to one server; default: this
  trusted  = false                            # true: servers elsewhere are believed about DNSSEC too, not only those of this machine; default: false
  loopback = false                            # true: mail may go to hosts that the DNS puts at 127.0.0.1, as in a test; default: false
}

reports {
  double_bounce = "postmaster" # a report that cannot be delivered; or "drop"; default: this
}

# How much security mail to strangers has. TLS is used whenever they offer it; what
# follows makes them prove who they are, where they have said that they can. Defaults: these.
security {
  dane     = true  # what signed DNS records of a host say (RFC 7672); needs a resolver that validates
  mta_sts  = true  # what a domain says on its web server (RFC 8461)
  remember = "30d" # a host that had a good certificate has to have one again; or "none" ...
  patience = "1d"  # ... but mail waits no longer than this for it, and then goes without

  # Daily reports to domains that want to know how TLS to them turned out (RFC 8460).
  # They are not signed by DKIM yet, so that those sent by mail may be passed over.
  report_from    = "tls-reports@example.org" # default: there are none
  report_contact = "jane@example.org"        # whom to ask about them; default: report_from
}

# For TLS, in PEM form; there may be several. Default: one is made for the run, which
# serves mail between servers, but not people's programs.
certificate {
  chain = "mx.example.org.chain.pem"
  key   = "mx.example.org.key.pem" # others must not be able to read it. Or one of these:
  #   key_env        = "VARIABLE"
  #   key_command    = ["/usr/bin/pass", "mx"]   what it prints, at the start and with each reload
  #   key_credential = "mx.key"                  LoadCredential=mx.key:FILE in the systemd unit
}

# Certificates that an authority gives to programs (ACME, RFC 8555). They are kept below
# the data directory and renewed in time; until the first one is there, one that was made
# for the run serves. The authority asks at port 80 or 443 of each name whether it is ours.
# Default: none are got.
acme {
  agree     = true                      # to the terms of the authority, which you have read
  email     = "postmaster@example.org"  # of the account; default: none
  directory = "https://acme-v02.api.letsencrypt.org/directory" # default: this; to try it out: https://acme-staging-v02.api.letsencrypt.org/directory
  ca        = "authority-ca.pem"        # by which its server is known; default: those of the system
  account_id       = "kid-1"            # what the authority has given you beforehand, if it asks for that (external account binding, EAB); default: nothing
  account_key_file = "acme.account"     # the key of it, the first line; or one of these:
  #   account_key_env        = "VARIABLE"
  #   account_key_command    = ["/usr/bin/pass", "acme"]
  #   account_key_credential = "acme.account"
  names     = ["mail.example.org"]      # a certificate for each; default: hostname, and those of the pages that https has
  http      = ":80"                     # it may ask here (HTTP-01); default: this, or nowhere if tls_alpn is set
  tls_alpn  = ":443"                    # or here (TLS-ALPN-01); default: nowhere
  reuse_key = true                      # a renewed certificate keeps its key, as TLSA records want it; default: false
}

# The pages of our domains, for who asks at mta-sts.DOMAIN for the MTA-STS policy (RFC 8461), and
# for people's programs, who ask at autoconfig.DOMAIN and autodiscover.DOMAIN where their mail
# is. The certificates must be good for those names. Default: there are none.
https {
  address = [":443"]           # default: this; the same may stand in acme at tls_alpn
  imap    = "imap.example.org" # where people read their mail, at port 993; default: nothing is told
  pop3    = "pop.example.org"  # where they fetch it, at port 995; default: nothing is told
}

# Where mail comes in: "smtp" from other servers, "submission" from people's programs
# (RFC 6409), "submissions" from them with TLS from the beginning (RFC 8314), "lmtp" from
# another part of a mail system. Default: nowhere.
listen "smtp" {
  name         = "smtp"          # in the journal; default: the kind
  address      = [":25"]         # default: ":25", submission ":587", submissions ":465"; lmtp may say "unix:FILE"
  tls          = "offer"         # "off", "offer", "require", "implicit"; default: "offer", submission "require", submissions "implicit", lmtp "off"
  proxy_from   = ["10.0.0.5"]    # peers that begin with a PROXY header; default: none
  xclient_from = ["10.0.0.6"]    # peers that may say XCLIENT; default: none
  policy       = "reject"        # the severest that policy may do here: "reject", "quarantine", "mark", or "off": nothing is asked; default: smtp "reject", others "off"

  limits {
    per_address = 20
  }
}

# People log in here, and nowhere else; never without TLS.
listen "submissions" {
  client_ca   = "people-ca.pem" # whoever has a certificate of these may log in with it; default: nobody
  cram_md5    = true            # offers CRAM-MD5 to those who were added with --cram-md5: weak, for old devices only; default: false
  hide_client = true            # Received does not tell the name and address of the client; default: false
}

# Who may log in. Default: nobody.
users {
  file = "users" # as "posthouse user add NAME" writes it; or dovecot = "/run/dovecot/auth-client", its socket

  # As whom they may send, in the envelope and in From: "own" is their name, if that is an
  # address, and what leads to it alone; "domain", all of its domain; "any". A line of the
  # file may say otherwise. Default: "own".
  senders    = "own"
  messages   = "500/h"  # of each of them; "none": without limit; default: this
  recipients = "3000/h" # the same
}

# In the place of the file: a server that knows who may log in. A name stands in texts as
# %{name}, what is in front of its @ as %{user}, and behind that as %{domain}; it cannot
# change what they mean.
#
# users {
#   ldap {
#     url           = "ldaps://ldap.example.org" # or "ldap://HOST", with STARTTLS; or "ldapi:///FILE"
#     tls           = "starttls"      # of ldap://; "off" is for this machine only; default: this
#     ca            = "ldap-ca.pem"   # trusted certificates; default: those of the system
#     base          = "ou=people,dc=example,dc=org"    # where an entry is searched ...
#     filter        = "(&(objectClass=inetOrgPerson)(mail=%{name}))" # ... that fits this
#     user          = "cn=posthouse,dc=example,dc=org" # who may search; default: nobody has to say who he is
#     password_file = "ldap.password" # the first line; or password_env, password_command, password_credential
#     entry         = "uid=%{user},ou=people,dc=example,dc=org" # in the place of base and filter: its name is known
#     name          = "mail"          # attribute that names the account; default: what was typed does
#     addresses     = ["mail"]        # attributes of the addresses as which it may send; default: what senders says
#     timeout       = "10s"           # of one question; default: this
#   }
# }
#
# Or a database, where names are parameters of a query. Its columns: password, which is
# argon2id, a SCRAM-SHA-256 verifier or bcrypt; name, if the account is called otherwise;
# addresses, as which it may send, or one of own, domain and any.
#
# users {
#   sql {
#     sqlite        = "users.db" # or postgres = "postgres://posthouse@db.example.org/mail", by TLS; or ".../mail?host=/run/postgresql"
#     ca            = "db-ca.pem" # postgres: trusted certificates; default: those of the system
#     password_file = "db.password" # postgres: the first line; or password_env, password_command, password_credential
#     query         = "SELECT password, addresses FROM users WHERE name = %{name}"
#     scram         = true  # every password is kept as a verifier of SCRAM, which is offered then; default: false
#     timeout       = "10s" # of one question; default: this
#   }
# }
#
# Besides a password, tokens of an issuer may be taken (OAUTHBEARER and XOAUTH2; RFC 7628):
# JWTs signed by RS256, ES256 or EdDSA. The account must be one of the users.
#
# users {
#   file = "users"
#   oauth {
#     issuer   = "https://id.example.org"      # as its tokens name it (iss)
#     audience = ["posthouse"]                 # of which a token names one (aud)
#     claim    = "email"                       # that names the account; default: this
#     keys_url = "https://id.example.org/keys" # where its keys are (RFC 7517); or keys = "FILE"
#     ca       = "id-ca.pem"                   # by which that server is known; default: those of the system
#   }
# }

# For whom mail is taken that goes on to others. Default: for nobody.
relay {
  networks = ["10.0.0.0/8", "127.0.0.0/8", "::1"] # clients that may send to everybody
  domains  = ["example.com", ".example.com"]      # to which everybody may send: we are a backup MX
}

# A domain whose mail ends here.
domain "example.org" {
  also          = ["example.net"]    # each address exists in these too; default: none
  deliver       = "mailboxes"        # the route to the mailboxes; default: this
  mailboxes     = ["jane", "joe"]
  mailbox_files = ["mailboxes"]      # files of them, one a line
  aliases       = ["aliases"]        # files of "sales: jane, joe@partner.example" or "sales jane"
  catch_all     = "joe@example.org"  # whom nobody knows; default: refused (550 5.1.1)
  postmaster    = "jane@example.org" # default: that of the file, or a mailbox of that name
  tags          = "+"                # jane+anything is jane; "none": no tags; default: this
  keep_tags     = false              # the route gets jane+anything; default: false
  case_sensitive = false             # Jane and jane are two; default: false
  mta_sts       = "testing"          # the policy that https serves: "none"; "testing": nobody obeys it, but reports tell of it; "enforce": whoever sends here needs our certificate to be good; default: this
  policy         = "reject"          # the severest that policy may do: "reject", "quarantine", "mark"; default: this

  # Files in the form of /etc/aliases, and what they may do. Default: nothing.
  unix_aliases = ["/etc/aliases"]
  unix_include = ["/etc/mail/lists"] # :include: may read below these directories
  unix_pipes   = false               # |command
  unix_files   = false               # /file

  # Somebody who has gone elsewhere.
  forward "jack" {
    to     = "jack@elsewhere.example"
    answer = 250 # 251: the sender is told; 551: refused, and the sender is told; default: this
  }
}

# What is asked of mail that strangers bring, without this block too; a listener with policy = "off"
# asks nothing. Whoever has logged in, comes from relay.networks or is a program of this machine is not
# asked. What is found stands in Authentication-Results, and "posthouse why" tells who decided what.
policy {
  spf         = "mark"   # may the client send for the sender's domain? "mark" or "off"; default: this. Never refuses by itself
  received_spf = false   # a Received-SPF field besides Authentication-Results; default: this
  dkim        = "mark"   # who signed the message? "mark" or "off"; default: this
  iprev       = "mark"   # has the client a name that leads back to it? "mark" or "off"; default: this
  dmarc       = "honour" # do these speak for the author? "honour": as his domain wants; "quarantine": never refused; "mark"; "off"; default: this
  dns_failure = "defer"  # while the DNS does not answer for DMARC: "defer" or "mark"; default: this

  arc         = "mark"                 # what do forwarders say that they saw? "mark" or "off"; default: this
  arc_trusted = ["lists.example"]      # whose word counts where DMARC fails; default: nobody's

  report_from = "dmarc@example.org" # daily reports to domains that want them (RFC 9990); default: none are sent

  # Lists of clients whose mail is not wanted; default: none. Who is in lists of this weight is refused.
  dnsbl_limit  = 2        # default: 1
  dnsbl_action = "reject" # "reject", "quarantine" or "mark"; default: this
  dnsbl "bl.example" {
    weight  = 2                                        # below zero: the list speaks for the client; default: 1
    answers = ["127.0.0.2", "127.0.0.4/30"]            # that count; default: all that say that he is listed
    reply   = "See https://bl.example/?ip=%{client}"   # default: that the address is in the list
  }

  # Strangers are told to come again later; who has is known. Default: they are not.
  greylist {
    delay  = "1m"  # default: this
    window = "1d"  # they have to come again in it; default: this
    keep   = "35d" # who stays away is forgotten; default: this
  }

  # How often a stranger may come: an address, and the network around it.
  rates {
    connections         = "600/m"   # default: this; "none": any number
    messages            = "1200/m"  # default: this
    recipients          = "12000/m" # default: this
    network_connections = "2400/m"  # default: this
    network_messages    = "4800/m"  # default: this
    network_recipients  = "48000/m" # default: this
  }

  # Programs that hear of mail stage by stage, and may refuse or change it, in this order: rspamd,
  # OpenDKIM, clamav-milter and others that speak the milter protocol. Default: there are none.
  milter "rspamd" {
    address   = "127.0.0.1:11332" # or "unix:FILE"
    listeners = ["smtp"]          # of whose mail it hears, by name; default: all that have a policy
    failure   = "defer"           # while it does not answer: "defer", "reject", "quarantine", "pass"; default: this

    # How long it may take. Defaults: these. While it says that it is at work it has four times as long.
    connect = "10s" # to connect, and to agree on what is spoken
    command = "30s" # each stage before the message
    content = "1m"  # each field, and each piece of the body
    end     = "5m"  # the end of the message
  }
}

# How mail goes on whose recipient here is an alias for somebody elsewhere.
forwarding {
  srs  = "example.org" # reports come back to addresses of this domain, that stand for senders; default: senders stay
  seal = "example.org" # ARC: what we found is sealed with a key of this domain; default: it is not
}

# Where mail goes next: the first route whose conditions all fit has it. A domain's
# deliver comes before all of them. Patterns of addresses are "example.org",
# ".example.org" (what is below), "mx*.example.*", "info@example.org", "<>", "*".
route "partner" {
  to       = ["partner.example", ".partner.example"] # the recipient
  from     = ["example.org"]                         # the sender
  networks = ["10.0.0.0/8"]                          # the client
  logins   = ["*"]                                   # who logged in; "*": anybody who did

  # One of these says what carries it:
  #   remote    = true                               the hosts that DNS names
  #   smarthost = ["HOST:PORT", ...]                 the first that takes it
  #   lmtp      = ["HOST:PORT", "unix:FILE", ...]    the first that takes it
  #   maildir   = "mail/%{domain}/%{user}"           below data, if it is relative
  #   pipe      = ["/full/path", "arg", "%{user}"]   also %{domain} %{sender} %{recipient} %{id}; no shell
  #   inbox     = "NAME"                             the test inbox: see inbox below
  #   discard   = true
  smarthost = ["mx1.partner.example:587", "mx2.partner.example:587"]

  # "require": STARTTLS with a good certificate; "opportunistic": if it is offered;
  # "implicit"; "never". Default: smarthost "require", remote "opportunistic", lmtp "never".
  tls           = "require"
  ca            = "partner-ca.pem"   # trusted certificates; default: those of the system
  user          = "example"          # to log in with
  password_file = "partner.password" # the first line, which others must not be able to read. Or one of these:
  #   password_env        = "VARIABLE"
  #   password_command    = ["/usr/bin/pass", "partner"]  what it prints, at the start and with each reload
  #   password_credential = "partner"                     LoadCredential=partner:FILE in the systemd unit

  # Of this route; default: what the file says.
  retry  = ["1m", "5m", "15m", "1h..4h"]
  expire = "5d"
  warn   = "4h"

  # Defaults: these; but 20 at a time to a site or destination where a Maildir is. A
  # site is all the destinations that the same hosts serve; a rate is "10/s", "60/h",
  # "5/10m"; "none" is without limit.
  limits {
    deliveries       = 200 # at a time, of the route
    rate             = "none"
    site             = 10  # at a time, to a site
    site_rate        = "none"
    destination      = 5   # at a time, to a destination
    destination_rate = "none"
    recipients       = 100 # of one delivery
  }
}

# A smarthost that wants OAuth 2 rather than a password: posthouse relay login office
route "office" {
  to        = "office.example"
  smarthost = "smtp.office365.com:587"
  user      = "jane@example.org" # the mailbox that the token is for
  oauth {
    provider  = "microsoft"   # or "google": gives the addresses and scopes below; default: they are written
    tenant    = "example.org" # microsoft: the organization; default: "organizations", any
    flow      = "device"      # "browser"; "client": the program logs in by itself; default: this
    client_id = "00000000-0000-0000-0000-000000000000"

    client_secret_file = "office.secret" # the first line; a public client has none. Or one of these:
    #   client_secret_env        = "VARIABLE"
    #   client_secret_command    = ["/usr/bin/pass", "office"]
    #   client_secret_credential = "office"
    client_auth = "form" # or "header": where the secret is sent; default: this

    token_url    = "https://login.example.org/token"
    device_url   = "https://login.example.org/devicecode" # flow "device"
    auth_url     = "https://login.example.org/authorize"  # flow "browser"
    redirect_url = "http://127.0.0.1:8025/"               # flow "browser"; default: this
    scopes       = ["https://outlook.office.com/SMTP.Send", "offline_access"]
  }
}

# Programs and Maildirs have a setting each.
route "tickets" {
  to      = "tickets@partner.test"
  pipe    = ["/usr/local/bin/ticket", "--from", "%{sender}"]
  timeout = "10m" # default: this
}

# This one is there without being written, for domains that name no other; it is
# named by them and so needs no conditions.
route "mailboxes" {
  maildir = "mail/%{domain}/%{user}"
  quota   = "none" # octets of a mailbox; default: this
}

# And this one, for everything that is left.
route "default" {
  remote = true
}

# How much security mail to a domain has to have, whatever the domain says itself, for the
# hosts that DNS names. The first that fits decides: a domain, ".partner.example" for all that is
# below one, or "*".
tls "bank.example" {
  level = "require"         # "require": a good certificate; "encrypt": any; "opportunistic"; "never"; default: this
  names = [".bank.example"] # of which it must bear one; default: the name of the host
  ca    = "partner-ca.pem"  # trusted certificates; default: those of the system
}

# What is tried out: whatever comes to a listener "inbox", or by a route with inbox, is kept to be
# looked at, and goes no further unless somebody releases it.
listen "inbox" {
  address = ["127.0.0.1:2525"] # default: this
}
inbox {
  messages = 10000 # of one inbox, or "none"; default: 10000
  all      = 50000 # of all inboxes, or "none"; default: 50000
  inboxes  = 1000  # default: 1000
  keep     = "30d" # or "none"; default: "30d"
  size     = "2GiB" # of all messages; default: "2GiB"
  apart    = ["login", "tag"] # what tells inboxes apart: "login", "tag", "recipient", "listener"; default: these
  box "ci-*" {      # one inbox, or those whose names begin so; the first that names one counts
    messages = 100  # or "none"; default: as above
    keep     = "1d" # or "none"; default: as above
  }
}

# Where browsers see the mail and steer it. Other machines can only come with TLS, and by
# logins that are named here.
console {
  address   = ["127.0.0.1:8025"] # HOST:PORT or "unix:FILE"; default: this
  tls       = "off"              # or "implicit"; default: "implicit" if other machines can come
  hosts     = ["mail.example.org"] # names by which browsers call it beside localhost, as with a proxy in front
  guests    = "none"             # who has not logged in, on this machine: "view", "operate", "none"; default: "view" if no logins are named
  viewers   = ["jane@example.org"] # see all mail; "*": all who can log in
  operators = ["ops@example.org"]  # give orders too
}
