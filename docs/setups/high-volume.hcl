hostname   = "out.example.org"
postmaster = "admin@example.org"

listen "smtp" {
  address = "10.1.2.3:25"
  limits {
    recipients  = 5000
    per_address = 2000
  }
}
relay { networks = "10.1.2.0/24" }

queue {
  window     = 200000
  deliveries = 2000
}
spool { draft_memory = "512MiB" }

route "out" {
  remote = true
  retry  = ["5m", "15m", "1h..4h"]
  expire = "2d"
  warn   = "none"
  limits {
    deliveries  = 2000
    site        = 20
    destination = 20
  }
}
