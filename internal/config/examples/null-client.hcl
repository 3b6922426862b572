hostname   = "web1.example.org"
postmaster = "admin@example.org"
listen "smtp" { address = "127.0.0.1:25" }
relay { networks = "127.0.0.0/8" }
route "out" { smarthost = "smtp.example.org:587" }
