hostname   = "mx.example.org"
postmaster = "jane@example.org"

acme {
  agree = true
  email = "jane@example.org"
}

listen "smtp" {}

domain "example.org" {
  also      = "example.com"
  mailboxes = ["jane", "joe"]
  aliases   = "/etc/posthouse/aliases"
  tags      = "+"
}
