# All mail goes to a sink, and a console shows how it goes. PORT is where to listen, SINK_PORT
# where the sink does, CONSOLE_PORT where browsers come.
hostname = "bench.example"
listen "smtp" {
  address = "127.0.0.1:${env("PORT", "4725")}"
  tls     = "off"
  limits { per_address = 10000 }
}
relay { networks = "127.0.0.0/8" }
route "sink" {
  smarthost = "127.0.0.1:${env("SINK_PORT", "4726")}"
  tls       = "never"
  limits {
    site        = 20
    destination = 20
  }
}
console {
  address = "127.0.0.1:${env("CONSOLE_PORT", "4727")}"
}
