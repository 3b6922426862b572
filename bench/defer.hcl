# Mail is tried where nobody listens, fails and is kept. PORT is where to listen.
hostname = "bench.example"
listen "smtp" {
  address = "127.0.0.1:${env("PORT", "4725")}"
  tls     = "off"
  limits { per_address = 10000 }
}
relay { networks = "127.0.0.0/8" }
route "nowhere" {
  smarthost = "127.0.0.1:1"
  tls       = "never"
}
