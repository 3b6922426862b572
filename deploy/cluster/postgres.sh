#!/bin/bash
# The entry point of a database: "primary", or "standby PRIMARY". It makes the data once, and runs PostgreSQL.
set -euo pipefail
role=$1
data=/var/lib/postgresql/data
password=$(cat "$DB_PASSWORD_FILE")
run() { su postgres -s /bin/bash -c "$*"; }

settle() { # certificates and settings, which may have changed
  install -o postgres -g postgres -m 600 "/secrets/$(hostname).key" "$data/server.key"
  install -o postgres -g postgres -m 644 "/secrets/$(hostname).crt" "$data/server.crt"
  install -o postgres -g postgres -m 600 /cluster/pg_hba.conf "$data/pg_hba.conf"
  install -o postgres -g postgres -m 600 /cluster/postgresql.conf "$data/cluster.conf"
  grep -q cluster.conf "$data/postgresql.conf" || echo "include 'cluster.conf'" >>"$data/postgresql.conf"
}

PATH=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/initdb | tail -1)"):$PATH
export PATH
if [ ! -s "$data/PG_VERSION" ]; then
  install -d -o postgres -g postgres -m 700 "$data"
  if [ "$role" = primary ]; then
    run "initdb -D $data --auth-local=peer --auth-host=scram-sha-256 -E UTF8 --locale=C"
    run "pg_ctl -D $data -w -o '-c listen_addresses=' start"
    su postgres -s /bin/bash -c "psql -v ON_ERROR_STOP=1 -v password='$password'" <<'SQL'
CREATE ROLE posthouse LOGIN PASSWORD :'password' IN ROLE pg_monitor;
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'password';
CREATE DATABASE posthouse OWNER posthouse;
SQL
    run "pg_ctl -D $data -w stop"
  else
    until run "PGPASSWORD='$password' pg_basebackup -D $data -R -X stream -c fast -d 'host=$2 user=replicator sslmode=verify-full sslrootcert=/secrets/db-ca.pem application_name=$(hostname)'"; do
      rm -rf "${data:?}"/*
      sleep 2
    done
  fi
fi
settle
exec setpriv --reuid postgres --regid postgres --init-groups postgres -D "$data"
