# Posthouse, as it is installed: it takes mail from programs of this machine, and sends it
# to where the DNS says. Nobody else is served, and it is not started yet:
#
#   posthouse config check
#   systemctl enable --now posthouse
#
# /usr/share/doc/posthouse/docs/README.md has the commonest set-ups, and "posthouse config
# example full" prints every setting.

hostname = "localhost.localdomain" # the name of this machine, as the DNS has it
listen "smtp" { address = "127.0.0.1:25" }
relay { networks = "127.0.0.0/8" }
