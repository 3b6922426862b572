# A domain whose people log in from anywhere, to send mail. "posthouse user add
# jane@example.org" asks for a password and writes it, unreadable, to the file of users.
# Whoever has logged in sends as himself only, and passwords are never said without TLS.
hostname = "mx.example.org"

certificate {
  chain = "mx.example.org.chain.pem"
  key   = "mx.example.org.key.pem"
}

listen "smtp" {}        # port 25, for other servers: nobody logs in there
listen "submissions" {} # port 465: TLS from the beginning (RFC 8314)
listen "submission" {}  # port 587: STARTTLS, before anything is said

users {
  file = "users"
}

domain "example.org" {
  mailboxes = ["jane", "joe"]
}
