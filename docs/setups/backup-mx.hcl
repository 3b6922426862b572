hostname   = "mx2.example.org"
postmaster = "admin@example.org"

acme {
  agree = true
  email = "admin@example.org"
}

listen "smtp" {}

relay {
  domains = ["example.com", ".example.com", "example.net"]
}

route "primary" {
  to     = ["example.com", ".example.com", "example.net"]
  remote = true
  retry  = ["1m", "5m", "15m", "30m..1h"]
  expire = "14d"
  warn   = "none"
}
