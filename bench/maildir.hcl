# All mail for to@example.com goes into one Maildir, mail/box below the data
# directory. PORT is where to listen.
hostname = "bench.example"
listen "smtp" {
  address = "127.0.0.1:${env("PORT", "4725")}"
  tls     = "off"
  limits { per_address = 10000 }
}
domain "example.com" {
  mailboxes = "to"
  deliver   = "box"
}
route "box" { maildir = "mail/box" }
