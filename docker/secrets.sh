#!/bin/sh
# Make PostgreSQL's password, once: docker/secrets.sh
# It is a file under docker/secrets/ that the containers can read and, because of the folder, nobody
# else on the host. Run again, it changes nothing. Airflow's own secrets are made inside, by `prepare`.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
[ -s secrets/postgres_password ] && exit
# Hexadecimal, because it goes into a URL. Renamed when whole.
od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "secrets/.postgres_password.$$"
chmod 444 "secrets/.postgres_password.$$"
mv "secrets/.postgres_password.$$" secrets/postgres_password
echo "made docker/secrets/postgres_password"
