hostname   = "mx.example.org"
postmaster = "jane@example.org"

certificate {
  chain = "/etc/posthouse/mx.chain.pem"
  key   = "/etc/posthouse/mx.key.pem"
}

listen "smtp" {}
listen "submissions" {}
listen "submission" {}

users {
  dovecot = "/run/dovecot/posthouse-auth"
}

domain "example.org" {
  mailbox_files = "/etc/posthouse/mailboxes"
  aliases       = "/etc/posthouse/aliases"
  deliver       = "dovecot"
  tags          = "+"
  keep_tags     = true
}

route "dovecot" {
  lmtp = "unix:/run/dovecot/posthouse-lmtp"
}
