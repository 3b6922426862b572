# A relay for an application: what it submits is sent by a provider that wants a
# password; the rest of the world is not served.
hostname = "app.example.org"
data     = "/var/lib/posthouse"

listen "submission" {
  address = ["10.1.2.3:587", "127.0.0.1:587"]
}

relay {
  networks = ["10.1.2.0/24", "127.0.0.0/8"]
}

# The password is the first line of the file.
route "provider" {
  smarthost     = ["smtp1.provider.example:465", "smtp2.provider.example:465"]
  tls           = "implicit"
  user          = "app"
  password_file = "provider.password"
  expire        = "1d"

  limits {
    rate = "100/m"
  }
}
