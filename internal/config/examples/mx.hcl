hostname = "mx.example.org"
listen "smtp" {}
domain "example.org" {
  mailboxes  = ["jane", "joe"]
  postmaster = "jane@example.org"
}
