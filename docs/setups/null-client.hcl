hostname   = "web1.example.org"
postmaster = "admin@example.org"
listen "smtp" { address = "127.0.0.1:25" }
relay { networks = ["127.0.0.0/8", "::1"] }

route "out" {
  smarthost     = ["smtp1.example.org:587", "smtp2.example.org:587"]
  user          = "web1"
  password_file = "/etc/posthouse/smarthost.password"
}
