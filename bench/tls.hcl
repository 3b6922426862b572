# Mail is taken durably, under TLS if the client begins it, and none is delivered. PORT is
# where to listen, and CHAIN and KEY are the files of a certificate.
hostname = "bench.example"
certificate {
  chain = env("CHAIN")
  key   = env("KEY")
}
listen "smtp" {
  address = "127.0.0.1:${env("PORT", "4725")}"
  tls     = "offer"
  limits { per_address = 10000 }
}
relay { networks = "127.0.0.0/8" }
queue { hold = true }
