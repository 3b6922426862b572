# A node of a cluster: all mail goes to a sink. ADDRESS is where to listen, DATABASE where the queue is, SINK_PORT where
# the sink listens.
hostname = "bench.example"
spool {
  postgres = env("DATABASE", "postgres://posthouse@127.0.0.1/posthouse")
  node     = env("NODE", "mx1")
}
listen "smtp" {
  address = env("ADDRESS", "127.0.0.1:4725")
  tls     = "off"
  limits { per_address = 10000 }
}
relay { networks = "127.0.0.0/8" }
route "sink" {
  smarthost = "127.0.0.1:${env("SINK_PORT")}"
  tls       = "never"
  limits {
    site        = 20
    destination = 20
  }
}
