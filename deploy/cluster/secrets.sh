#!/bin/bash
# Makes what the compose file needs in ./secrets: an authority for the databases, a certificate for each, and a password.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p secrets
cd secrets
umask 077
[ -s db.password ] || openssl rand -hex 24 >db.password
if [ ! -s db-ca.pem ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=posthouse databases" -keyout db-ca.key -out db-ca.pem
fi
for db in db1 db2 db3; do
  [ -s "$db.crt" ] && continue
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$db" -keyout "$db.key" -out "$db.csr"
  openssl x509 -req -in "$db.csr" -CA db-ca.pem -CAkey db-ca.key -CAcreateserial -days 3650 -extfile <(printf 'subjectAltName=DNS:%s' "$db") -out "$db.crt"
  rm "$db.csr"
done
chmod 644 db-ca.pem ./*.crt
# The user of the container, and nobody else, reads the password that a node logs in with.
chown 65532:65532 db.password 2>/dev/null || echo "run this as root: the nodes must be able to read secrets/db.password"
