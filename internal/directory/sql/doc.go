// Package sql asks a database who may log in: PostgreSQL, or a file of SQLite.
//
// The query is the operator's. %{name} in it is the name of the account, folded, %{user}
// what is in front of its last @, and %{domain} what is behind that. They go to the database
// as parameters and are never part of its language. What the query gives is known by the
// names of its columns:
//
//	password   what is kept of the password: $argon2id$..., SCRAM-SHA-256$... (RFC 5803, as
//	           PostgreSQL writes it too) or bcrypt's $2b$...; NULL: none fits
//	name       how the account is called; without the column, or if it is NULL: as it was asked for
//	addresses  the addresses as which it may send, with spaces or commas between them, or one
//	           of own, domain and any; without the column: the configuration says. NULL is none.
//
// Several rows are one account with the addresses of all; they must agree on the rest.
//
// A name that nobody has is tried against a decoy that costs what the passwords cost that
// were seen, so that it takes the same time.
package sql
