# The MX of two domains; Dovecot keeps the mailboxes and takes mail over LMTP.
hostname   = "mx.example.org"
data       = "/var/lib/posthouse"
postmaster = "jane@example.org"

certificate {
  chain = "/etc/ssl/mx.example.org.chain.pem"
  key   = "/etc/ssl/private/mx.example.org.key.pem"
}

listen "smtp" {}

domain "example.org" {
  also          = "example.com"
  mailbox_files = "mailboxes" # one name a line
  aliases       = "aliases"   # sales: jane, joe@partner.example
  deliver       = "dovecot"
  keep_tags     = true        # jane+lists: Dovecot makes a folder of it

  forward "former" {
    to     = "former@elsewhere.example"
    answer = 551 # refused, and the sender is told the new address
  }
}

domain "example.net" {
  catch_all = "jane@example.org"
  deliver   = "dovecot"
}

route "dovecot" {
  lmtp = "unix:/run/dovecot/lmtp"
}
