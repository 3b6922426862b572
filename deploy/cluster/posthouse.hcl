# One of three nodes that share a queue. The file is the same on all of them: what differs is in
# the environment (NODE and DB_HOSTS), and the password comes as a credential or a secret.
hostname = "${env("NODE")}.example.org"
data     = "/var/lib/posthouse"

spool {
  postgres      = "postgres://posthouse@${env("DB_HOSTS")}/posthouse" # whichever is the primary
  ca            = "/etc/posthouse/db-ca.pem"
  password_file = "/etc/posthouse/db.password"
  node          = env("NODE")
}

# HAProxy stands in front, and says with the PROXY protocol whose connection it is. Nobody else reaches this port.
listen "smtp" {
  address    = [":2525"]
  proxy_from = ["10.77.0.0/24"]
}

domain "example.org" {
  mailboxes = ["jane", "joe"]
  deliver   = "store"
}

# Not a Maildir of one node: a store that all of them reach.
route "store" {
  lmtp = ["store.example.org:24"]
}
