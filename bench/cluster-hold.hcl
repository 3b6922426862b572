# A node of a cluster. Mail is taken durably, on two disks, and none is delivered. ADDRESS is where to listen,
# DATABASE where the queue is.
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
queue { hold = true }
