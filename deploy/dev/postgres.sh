#!/usr/bin/env bash
# A private PostgreSQL cluster for development and tests: no TCP, its socket in a folder that only its owner may enter.
#
#   postgres.sh start DIR    create the cluster if DIR holds none, start it, wait until it answers
#   postgres.sh stop DIR     end it and disconnect its clients; no error if it does not run
#   postgres.sh remove DIR   stop it and delete its files
#   postgres.sh url DIR      print the libpq URL of its database
#   postgres.sh pid DIR      print its process id; fails when it does not run
#
# PostgreSQL refuses to run as root: the system user `postgres` owns the cluster then, else whoever calls.
# SPILLWAY_POSTGRES_SETTINGS may hold more lines for its configuration.
set -euo pipefail
unset "${!PG@}" # a PGHOST or PGDATA of the caller means some other server

readonly kMaxConnections=200
readonly kSocketPathMax=107 # bytes, sun_path of unix(7) less its final NUL
readonly kStartAttempts=3   # a killed server's last children may hold its memory for a moment
readonly kStopSeconds=30

fail() {
  echo "postgres: $*" >&2
  exit 1
}

[[ $# == 2 ]] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
command=$1
mkdir -p "$(dirname "$2")"
link=$(cd "$(dirname "$2")" && pwd -P)/$(basename "$2")
cd / # the owner may not be allowed to stand where the caller does

owner=$(id -un)
as_owner=()
if ((EUID == 0)); then
  owner=postgres
  id -u "$owner" >/dev/null 2>&1 || fail "user postgres is missing: run make deps"
  as_owner=(setpriv --reuid="$owner" --regid="$owner" --init-groups --)
fi

# Where the files are: DIR, or what it links to (see make_dir).
find_dir() {
  dir=$(readlink "$link" || echo "$link")
  data=$dir/data
}
find_dir

# The newest installed release, or the one that wrote the data.
bin_folder() {
  local version folder
  version=$("${as_owner[@]}" cat "$data/PG_VERSION" 2>/dev/null || true)
  folder=$(compgen -G "/usr/lib/postgresql/${version:-*}/bin" | sort -V | tail -n 1)
  [[ -x $folder/initdb ]] || fail "PostgreSQL ${version:-server} is not installed: run make deps"
  echo "$folder"
}

# DIR, made if need be. Where root's checkout lies in a folder that user postgres cannot enter (/root),
# DIR becomes a link to a folder under /var/lib.
make_dir() {
  if [[ ! -d $dir ]]; then
    rm -f "$link" # its target may be gone
    install -d -m 0700 -o "$owner" "$link"
    if ! "${as_owner[@]}" test -x "$link"; then
      rmdir "$link"
      ln -s "$(mktemp -d /var/lib/spillway-postgres.XXXXXX)" "$link"
      chown "$owner" "$link/"
    fi
    find_dir
  fi
  [[ $(stat -c %U "$dir") == "$owner" ]] ||
    fail "$dir belongs to user $(stat -c %U "$dir"), not $owner: remove it or run as before"
}

# Process id of the server of this data folder. The id in its lock file may by now be some other process's.
server_pid() {
  local pid
  pid=$("${as_owner[@]}" head -n 1 "$data/postmaster.pid" 2>/dev/null) || return 1
  [[ $("${as_owner[@]}" readlink "/proc/$pid/cwd") == "$(realpath "$data")" ]] || return 1
  echo "$pid"
}

# Where the socket is: inside DIR, or behind the link DIR/socket when that path would be too long.
socket_folder() {
  "${as_owner[@]}" readlink "$dir/socket" || echo "$dir/socket"
}

make_socket_folder() {
  "${as_owner[@]}" rm -rf "$dir/socket"
  local path=$dir/socket/.s.PGSQL.5432
  if ((${#path} > kSocketPathMax)); then
    "${as_owner[@]}" ln -s "$("${as_owner[@]}" mktemp -d /tmp/spillway-pg.XXXXXX)" "$dir/socket"
  else
    "${as_owner[@]}" mkdir -m 0700 "$dir/socket"
  fi
}

# Made aside and renamed, so that an interrupted start leaves no half a cluster.
create_cluster() {
  "${as_owner[@]}" rm -rf "$data.new"
  "${as_owner[@]}" "$bin/initdb" -D "$data.new" -U spillway -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
    >/dev/null || fail "initdb failed in $dir"
  "${as_owner[@]}" tee -a "$data.new/postgresql.conf" >/dev/null <<<"include = '../spillway.conf'"
  "${as_owner[@]}" mv "$data.new" "$data"
}

start() {
  make_dir
  bin=$(bin_folder)
  "${as_owner[@]}" test -d "$data" || create_cluster
  server_pid >/dev/null && return

  make_socket_folder
  "${as_owner[@]}" tee "$dir/spillway.conf" >/dev/null <<-END
	listen_addresses = ''
	unix_socket_directories = '$(socket_folder)'
	unix_socket_permissions = 0700
	max_connections = $kMaxConnections
	${SPILLWAY_POSTGRES_SETTINGS:-}
	END
  # PostgreSQL clears a dead server's lock itself, but not one whose process id lives on as something else.
  local pid attempt
  if pid=$("${as_owner[@]}" head -n 1 "$data/postmaster.pid" 2>/dev/null) && [[ -d /proc/$pid ]]; then
    "${as_owner[@]}" rm -f "$data/postmaster.pid"
  fi
  for ((attempt = 1; ; attempt++)); do
    "${as_owner[@]}" "$bin/pg_ctl" start -s -w -D "$data" -l "$dir/log" </dev/null >/dev/null 2>&1 && break
    ((attempt < kStartAttempts)) || fail "PostgreSQL does not start, see $dir/log: $("${as_owner[@]}" tail -n 1 "$dir/log")"
    sleep 1
  done
  # `template1` is always there to connect to; a database that exists is fine.
  "${as_owner[@]}" "$bin/psql" -qX -h "$(socket_folder)" -U spillway -d template1 -v ON_ERROR_STOP=1 <<-'END'
	SELECT 'CREATE DATABASE spillway' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'spillway') \gexec
	END
}

stop() {
  server_pid >/dev/null || return 0
  bin=$(bin_folder)
  local mode
  for mode in fast immediate; do
    "${as_owner[@]}" "$bin/pg_ctl" stop -s -w -t "$kStopSeconds" -m "$mode" -D "$data" >/dev/null 2>&1 && break
  done
  ! server_pid >/dev/null || fail "PostgreSQL in $dir does not end"
  [[ $(socket_folder) == "$dir/socket" ]] || "${as_owner[@]}" rm -rf "$(socket_folder)"
}

remove() {
  stop
  rm -rf "$dir" "$link"
}

url() {
  jq -rn --arg host "$(socket_folder)" \
    '"postgresql://spillway@/spillway?port=5432&host=" + ($host | @uri | gsub("%2F"; "/"))'
}

case $command in
  start | stop | remove | url) "$command" ;;
  pid) server_pid ;;
  *) fail "unknown command $command" ;;
esac
