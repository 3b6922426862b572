hostname   = "gate.example.org"
postmaster = "jane@example.org"

acme {
  agree = true
  email = "admin@example.org"
}

listen "smtp" {}

# From the inner server, and from nobody else, for everybody.
relay { networks = "10.0.0.5" }

# From everybody, for the people of the inner server.
domain "example.org" {
  mailbox_files = "/etc/posthouse/mailboxes"
  deliver       = "inner"
}

route "inner" {
  smarthost = "10.0.0.5:25"
  tls       = "require"
  ca        = "/etc/posthouse/inner-ca.pem"
  expire    = "5d"
}
