#!/usr/bin/env bash
# Fails when a file includes what its layer must not know. A folder without a rule fails too.
set -euo pipefail

# Layer (the longest match counts): the project's headers it may include : what else besides the C++ standard library.
# The two programs share config/ and two headers of proxy/net/, and nothing more; pure layers know neither Asio nor sockets.
# `arpa/inet.h` alone is for reading addresses from text, `unistd.h` alone for process ids and descriptors.
readonly kRules='
config/                    : config/ : yaml-cpp/ CLI/ posix

proxy/clock.hpp            : :
proxy/config/              : config/ proxy/config/ :
proxy/http/                : proxy/http/ : llhttp.h arpa/inet.h
proxy/classify/            : proxy/classify/ proxy/config/config.hpp proxy/http/ : arpa/inet.h
proxy/admission/           : proxy/admission/ proxy/clock.hpp :
proxy/net/                 : proxy/net/ proxy/clock.hpp config/ : boost/ systemd/ posix
proxy/net/listener         : proxy/net/ proxy/clock.hpp config/ : boost/ systemd/ posix linux/filter.h
proxy/net/memory_budget    : :
proxy/net/timer_wheel      : proxy/net/ proxy/clock.hpp : boost/intrusive/
proxy/telemetry/           : proxy/telemetry/ proxy/net/line_writer.hpp proxy/admission/reason.hpp proxy/upstream/load_report.hpp proxy/config/ proxy/clock.hpp : prometheus/ spdlog/ fmt/ posix
proxy/upstream/            : proxy/upstream/ proxy/net/ proxy/http/ proxy/config/ proxy/telemetry/ proxy/clock.hpp config/ : boost/
proxy/upstream/load_report : proxy/upstream/ :
proxy/upstream/retry_budget : proxy/upstream/retry_budget proxy/clock.hpp :
proxy/relay/               : proxy/ config/ : boost/ fmt/ sys/socket.h
proxy/relay/pace           : proxy/clock.hpp :
proxy/relay/slow_clients   : proxy/relay/pace.hpp proxy/clock.hpp : boost/intrusive/
proxy/admin/               : proxy/ config/ : boost/ prometheus/ fmt/
proxy/                     : proxy/ config/ : boost/ CLI/ fmt/ systemd/ posix

api/db/                    : api/ proxy/net/spawn.hpp : boost/ spdlog/ libpq-fe.h openssl/ posix
api/db/binary_format       : api/db/binary_format api/date.hpp api/utf8.hpp :
api/db/sqlstate            : api/db/sqlstate :
api/db/connection_url      : api/db/connection_url : libpq-fe.h
api/db/pool_policy         : api/db/pool_policy api/intrusive_list.hpp api/clock.hpp :
api/auth/                  : api/ : boost/ sodium.h jwt.h posix
api/schema/                : api/ : libpq-fe.h
api/main.cpp               : api/ config/ : boost/ spdlog/ CLI/ sodium.h
api/                       : api/ config/ proxy/net/spawn.hpp proxy/net/line_writer.hpp : boost/ spdlog/ systemd/ posix

tests/unit/                : tests/unit/ proxy/ api/ config/ : doctest/ arpa/inet.h jwt.h malloc.h unistd.h
tests/unit/proxy/          : tests/unit/ proxy/ config/ : doctest/ boost/ spdlog/ posix
tests/integration/         : tests/ proxy/ api/ config/ : doctest/ boost/ libpq-fe.h openssl/ posix
tests/fuzz/                : tests/fuzz/ proxy/ api/ config/ : boost/ posix
tests/bench/               : tests/bench/ : posix
'

# Headers of the system's C library that are not C++.
readonly kPosix='arpa/ dlfcn.h fcntl.h grp.h net/ netdb.h netinet/ poll.h pthread.h signal.h sys/ unistd.h'

cd "$(dirname "$0")/.."

found=$(grep -rHnoE --include='*.[ch]pp' '^ *# *include *["<][^">]+[">]' config proxy api tests || true)
[[ $found ]] || { echo "check_layers: no source file found" >&2 && exit 1; }

awk -v rules="$kRules" -v posix="$kPosix" '
  function begins(text, start) { return substr(text, 1, length(start)) == start }
  function any_begins(text, list,   parts, n, i) {
    n = split(list, parts, " ")
    for (i = 1; i <= n; i++) if (begins(text, parts[i])) return 1
    return 0
  }
  BEGIN {
    count = split(rules, lines, "\n")
    for (i = 1; i <= count; i++) {
      if (split(lines[i], part, " *: *") < 3) continue
      layers[part[1]] = 1; own[part[1]] = part[2]; outside[part[1]] = part[3]
    }
  }
  {
    split($0, field, ":"); place = field[1] ":" field[2]
    quoted = /"/; header = $0; sub(/.*include *["<]/, "", header); sub(/[">]$/, "", header)
    layer = ""
    for (name in layers) if (begins(place, name) && length(name) > length(layer)) layer = name
    if (layer == "") { print place ": no rule for this folder"; bad++; next }
    if (quoted) ok = any_begins(header, own[layer])
    else if (header ~ /^[a-z_0-9]+$/) ok = 1
    else ok = any_begins(header, outside[layer]) || (" " outside[layer] " " ~ / posix / && any_begins(header, posix))
    if (!ok) { print place ": " layer " must not include " header; bad++ }
  }
  END {
    if (bad) { print "check_layers: " bad " includes break the layers"; exit 1 }
    print "check_layers: " NR " includes keep to their layers"
  }' <<<"$found"
