# An inbox for tests: whatever a program sends to 127.0.0.1:2525 is kept, and shown at
# http://127.0.0.1:8025. A login or a tag (jane+shop@example.org) has an inbox of its own.
hostname = "localhost.example"
listen "inbox" {}
inbox {
  keep = "7d"
}
console {
  guests = "operate"
}
