hostname   = "app.example.org"
postmaster = "admin@example.org"

certificate {
  chain          = "/etc/posthouse/app.chain.pem"
  key_credential = "app.key"
}

listen "submission" {
  address = ["10.1.2.3:587", "127.0.0.1:587"]
}

users {
  file       = "/etc/posthouse/users"
  senders    = "domain"
  messages   = "10000/h"
  recipients = "50000/h"
}

route "provider" {
  smarthost           = ["smtp1.provider.example:465", "smtp2.provider.example:465"]
  tls                 = "implicit"
  user                = "app"
  password_credential = "provider"
  expire              = "1d"
  limits { rate = "100/m" }
}
