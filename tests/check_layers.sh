#!/usr/bin/env bash
# Fails when a file includes what its layer must not know, when a folder has no rule, and when folders include each other
# in a circle.
set -euo pipefail

# This table is the plan of the house.
# Layer (the longest match counts): the project's headers it may include : what else besides the C++ standard library.
# Both programs share config/, proxy/net/, proxy/text/, proxy/tls/ and proxy/tracing/; pure layers know neither Asio nor sockets.
# `arpa/inet.h` alone is for reading addresses from text, `unistd.h` alone for process ids and descriptors.
readonly kRules='
proxy/text/                : proxy/text/ :
config/                    : config/ proxy/text/ : yaml-cpp/ CLI/ posix

proxy/tls/                 : proxy/tls/ config/ : openssl/
proxy/tls/handshake_gate   : : boost/intrusive/
proxy/tls/descriptor       : proxy/tls/descriptor.hpp : openssl/ posix
proxy/tls/record_memory    : proxy/tls/record_memory.hpp : openssl/ malloc.h
proxy/net/                 : proxy/net/ proxy/tls/ proxy/text/take.hpp config/ : boost/ systemd/ posix grp.h linux/filter.h liburing.h
proxy/net/clock            : :
proxy/net/free_blocks      : :
proxy/net/memory_budget    : :
proxy/net/heap_trim        : proxy/net/ : malloc.h
proxy/net/line_queue       : proxy/net/line_queue proxy/net/line_writer.hpp : spdlog/
proxy/net/timer_wheel      : proxy/net/ : boost/intrusive/
proxy/tracing/             : proxy/tracing/ proxy/text/ proxy/net/clock.hpp :
proxy/tracing/collector    : proxy/tracing/collector.hpp proxy/net/ proxy/tls/ config/tracing.hpp : boost/
proxy/tracing/exporter     : proxy/tracing/ proxy/net/clock.hpp proxy/net/host_name.hpp proxy/text/ config/tracing.hpp :
proxy/config/              : config/ proxy/config/ proxy/tls/ proxy/admission/policy.hpp proxy/admission/reason.hpp proxy/http/head_limits.hpp proxy/http/grammar.hpp proxy/http2/limits.hpp proxy/net/clock.hpp : re2/
proxy/http/                : proxy/http/ proxy/text/ : arpa/inet.h
proxy/http1/               : proxy/http/ proxy/http1/ proxy/text/ : llhttp.h
proxy/http2/               : proxy/http/ proxy/http2/ proxy/text/ proxy/net/clock.hpp proxy/net/free_blocks.hpp : nghttp2/
proxy/classify/            : proxy/classify/ proxy/config/ proxy/http/ proxy/text/ proxy/admission/policy.hpp config/ : arpa/inet.h
proxy/admission/           : proxy/admission/ proxy/net/clock.hpp proxy/text/intrusive_list.hpp :
proxy/telemetry/           : proxy/telemetry/ config/log.hpp proxy/http2/abuse_kind.hpp proxy/admission/ proxy/config/ proxy/text/ proxy/net/clock.hpp proxy/net/line_queue.hpp : prometheus/ spdlog/ fmt/ posix
proxy/upstream/            : proxy/upstream/ proxy/tls/ proxy/admission/ proxy/net/ proxy/config/ proxy/telemetry/ config/ : boost/ netdb.h netinet/in.h sys/un.h
proxy/relay/               : proxy/relay/ proxy/tls/ proxy/tracing/ proxy/upstream/ proxy/telemetry/ proxy/admission/ proxy/classify/ proxy/http/ proxy/http1/ proxy/http2/ proxy/net/ proxy/text/ proxy/config/ config/ : boost/ fmt/
proxy/relay/pace           : proxy/net/clock.hpp :
proxy/relay/slow_clients   : proxy/relay/pace.hpp proxy/net/clock.hpp proxy/net/hooked_list.hpp :
proxy/admin/               : proxy/admin/ proxy/tls/ proxy/upstream/ proxy/telemetry/ proxy/admission/ proxy/net/ proxy/text/ config/ : boost/ prometheus/ fmt/
proxy/handover/            : proxy/handover/ proxy/admission/ proxy/telemetry/ proxy/net/ config/listen.hpp : boost/ fmt/ posix
proxy/handover/frame       : proxy/handover/ :
proxy/handover/state       : proxy/handover/ proxy/admission/ proxy/telemetry/ :
proxy/handover/members     : proxy/net/clock.hpp : boost/
proxy/                     : proxy/ config/ : boost/ CLI/ fmt/ systemd/ posix

api/db/                    : api/db/ proxy/net/ proxy/text/ : boost/ spdlog/ libpq-fe.h openssl/ posix
api/db/binary_format       : api/db/binary_format api/db/day.hpp proxy/text/utf8.hpp :
api/db/sqlstate            : api/db/sqlstate :
api/db/connection_url      : api/db/connection_url proxy/text/hex.hpp : libpq-fe.h
api/db/pool_policy         : api/db/pool_policy proxy/text/intrusive_list.hpp proxy/net/clock.hpp :
api/config/                : api/config/ config/ api/db/connect_options.hpp proxy/tls/certificate.hpp :
api/auth/                  : api/auth/ api/db/interrupt.hpp config/ proxy/net/ proxy/text/ : boost/ sodium.h jwt.h posix
api/schema/                : api/schema/ api/auth/ api/db/ proxy/net/ : libpq-fe.h
api/users/                 : api/users/ api/auth/ api/db/ : termios.h posix
api/endpoints/             : api/endpoints/ api/auth/ api/config/ api/db/ proxy/net/ proxy/text/ proxy/tracing/queue.hpp : boost/ spdlog/ prometheus/
api/server/                : api/server/ api/endpoints/ api/config/ api/schema/ api/db/pool api/db/connect_options api/db/interrupt api/db/query_try.hpp config/ proxy/net/ proxy/text/ proxy/tracing/ : boost/ spdlog/ systemd/ posix
api/main.cpp               : api/ config/ proxy/net/ proxy/text/ proxy/tracing/ : boost/ spdlog/ CLI/ sodium.h pwd.h posix

tests/support/certificates : tests/support/ : openssl/
tests/support/             : tests/support/ : doctest/ dlfcn.h posix
tests/support/preload/     : tests/support/ : dlfcn.h liburing.h posix
tests/unit/                : tests/ proxy/ api/ config/ : doctest/ arpa/inet.h jwt.h malloc.h unistd.h
tests/unit/config/         : tests/ proxy/ config/ : doctest/ malloc.h posix
tests/unit/tls/            : tests/ proxy/tls/ : doctest/ openssl/ posix
tests/unit/net/            : tests/ proxy/net/ : doctest/ boost/ posix
tests/unit/admin/          : tests/ proxy/ : doctest/ boost/
tests/unit/upstream/       : tests/ proxy/ config/ : doctest/ boost/
tests/unit/relay/          : tests/ proxy/ config/ : doctest/ boost/
tests/integration/         : tests/ proxy/ api/ config/ : doctest/ boost/ openssl/ nghttp2/ libpq-fe.h dlfcn.h posix linux/filter.h linux/seccomp.h
tests/fuzz/                : tests/fuzz/ tests/support/ proxy/ api/ config/ : boost/ openssl/ posix
tests/bench/               : tests/bench/ : openssl/ posix
tests/bench/fleet/         : tests/bench/fleet/ proxy/admission/ :
tests/bench/gate_contention : proxy/relay/gate.hpp : boost/ posix
'

# Folders whose tests TSan leaves out, because they know no thread.
one_thread=$(sed -n 's/^set(one_thread \(.*\))$/\1/p' "$(dirname "$0")/unit/CMakeLists.txt")
readonly one_thread

# Headers of the system's C library that are not C++.
readonly kPosix='arpa/ fcntl.h net/ netdb.h netinet/ poll.h pthread.h signal.h spawn.h sys/ unistd.h'

cd "$(dirname "$0")/.."

found=$(grep -rHnoE --include='*.[ch]pp' '^ *# *include *["<][^">]+[">]' config proxy api tests || true)
[[ $found ]] || { echo "check_layers: no source file found" >&2 && exit 1; }

awk -v rules="$kRules" -v posix="$kPosix" -v one_thread="$one_thread" '
  function begins(text, start) { return substr(text, 1, length(start)) == start }
  function any_begins(text, list,   parts, n, i) {
    n = split(list, parts, " ")
    for (i = 1; i <= n; i++) if (begins(text, parts[i])) return 1
    return 0
  }
  BEGIN {
    if (!(alone = split(one_thread, calm, " "))) { print "check_layers: one_thread is missing in tests/unit/CMakeLists.txt"; bad++ }
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
    for (i = 1; i <= alone && header ~ /^(thread|mutex|shared_mutex|condition_variable|future|semaphore|latch|barrier|stop_token)$/; i++) {
      if (place !~ "^(proxy/|tests/unit/)?" calm[i] "/") continue
      print place ": is tested as a folder without threads (one_thread in tests/unit/CMakeLists.txt)"; bad++
    }
    # Which folder includes which. The hall of a program, where it is wired, is above its rooms.
    from = field[1]; to = header
    if (quoted && sub(/\/[^\/]*$/, "", from) && sub(/\/[^\/]*$/, "", to) && from != to && to ~ /\// && from ~ /\// && from !~ /^tests/) {
      arrow[from, to] = 1; folders[from] = 1; folders[to] = 1
    }
  }
  END {
    # Take away, again and again, every folder that includes no other one, or that no other one includes. What is left
    # runs in circles.
    do {
      gone = ""
      for (a in folders) {
        above = below = 0
        for (b in folders) { if ((a, b) in arrow) below = 1; if ((b, a) in arrow) above = 1 }
        if (!above || !below) gone = a
      }
      if (gone != "") delete folders[gone]
    } while (gone != "")
    for (a in folders) for (b in folders) if ((a, b) in arrow) { print a " includes " b ", in a circle"; bad++ }
    if (bad) { print "check_layers: " bad " includes break the layers"; exit 1 }
    print "check_layers: " NR " includes keep to their layers"
  }' <<<"$found"
