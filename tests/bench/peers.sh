#!/usr/bin/env bash
# Spillway beside nginx, HAProxy and nghttpx on this machine: each with one worker on core 0, wrk and a trivial upstream on
# core 1, 64 keep-alive connections. The proxies take turns in every round; the report holds the medians.
#
#   tcp, unix   proxied GETs, upstream over TCP or a unix socket
#   many        as tcp, with 1000 connections
#   refusal     the proxy answers 503 itself
#   bodies      proxied GETs of 16 MiB over TCP, from nginx
#   uploads     proxied POSTs of 16 MiB over TCP
#   log         proxied GETs over TCP, each logged as a JSON line to a file
#   h2          proxied GETs over TCP, from clients of HTTP/2 without TLS: 32 connections with 10 streams each (h2load)
#   tls         proxied GETs over TLS 1.3, upstream over TCP
#   tls_h2      as h2, over TLS 1.3
#   handshake   a connection, a full handshake (TLS 1.3, P-256) and one GET each
#   idle        private memory per connection, 4000 connections that have made one request each
#   idle_tls    the same over TLS 1.3
#
# ROUNDS=3 DURATION=5 SCENARIOS=tcp,unix,many,refusal,bodies,uploads,log,h2,tls,tls_h2,handshake,idle,idle_tls PROXIES=spillway,epoll,nginx,haproxy,nghttpx
# epoll is spillway with `io: epoll`; over TLS and HTTP/2 it is left out.
# nghttpx takes part in h2, tls, tls_h2 and handshake, which it is for.
# CPU time comes from /proc/PID/stat of the worker, in ticks of 10 ms: 5 s of load keep its error below 1 %.
set -euo pipefail

readonly kProxyCore=0 kLoadCore=1
readonly kConnections=64 kManyConnections=1000
readonly kHttp2Connections=32 kStreams=10
readonly kWarmUpSeconds=1
readonly kBodyMiB=16 kBodyConnections=8
readonly kIdleConnections=4000
readonly kIdleSettleSeconds=3 # for buffers to be given back
readonly kStartSeconds=10
readonly kOpenFiles=10100 # HAProxy asks for two per connection, and has a limit of 5000

cd "$(dirname "$0")/../.."
IFS=, read -ra scenarios <<<"${SCENARIOS:-tcp,unix,many,refusal,bodies,uploads,log,h2,tls,tls_h2,handshake,idle,idle_tls}"
IFS=, read -ra proxies <<<"${PROXIES:-spillway,epoll,nginx,haproxy,nghttpx}"
rounds=${ROUNDS:-3}
duration=${DURATION:-5}
report=build/reports/bench.json
PATH=$PATH:/usr/sbin

fail() {
  echo "make bench: $*" >&2
  exit 1
}

(($(nproc) >= 2)) || fail "needs two cores, one for the proxies and one for the load"
ulimit -n "$(ulimit -Hn)"
(($(ulimit -n) >= kOpenFiles)) || fail "needs $kOpenFiles open files, the limit is $(ulimit -n)"
cmake --build build/release --target trivial_upstream idle_connections >/dev/null

dir=$(mktemp -d)
upstream_pid='' bodies_pid='' proxy_pid='' idle_pid=''
trap 'kill $idle_pid $proxy_pid $bodies_pid $upstream_pid 2>/dev/null || true; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# --- The processes ---------------------------------------------------------------------------------------------------

# shellcheck source=tests/bench/services.sh
. tests/bench/services.sh

# start_proxy NAME UPSTREAM SCENARIO: starts it on $proxy_port; `worker` is then the process that serves
start_proxy() {
  local template command upstream=$2
  case $1 in
    spillway | epoll) template=spillway.yaml command=(build/release/proxy/spillway --config "$dir/spillway.yaml") ;;
    nginx) template=nginx.conf command=(nginx -c "$dir/nginx.conf" -e "$dir/log") ;;
    haproxy) template=haproxy.cfg command=(haproxy -db -f "$dir/haproxy.cfg") ;;
    nghttpx) template=nghttpx.conf command=(nghttpx "--conf=$dir/nghttpx.conf") upstream=${2/:/,} ;;
    *) fail "unknown proxy $1" ;;
  esac
  [[ $1 != haproxy ]] || upstream=${upstream/#unix:/unix@}
  sed -e "s|@DIR@|$dir|; s|@PORT@|$proxy_port|; s|@ADMIN_PORT@|$admin_port|; s|@TLS_PORT@|$tls_port|; s|@UPSTREAM@|$upstream|" \
    "tests/bench/$template" >"$dir/$template"
  # Lines that only a run with a log has begin with #log, those with TLS, HTTP/2 or many connections with #tls, #h2, #many.
  local -a http2=()
  case $3 in
    log) sed -i -e 's/#log //' -e '/access_log off\|access: off/d' "$dir/$template" ;;
    h2)
      sed -i -e 's/#h2 //' -e '/ #h1$/d' "$dir/$template"
      http2=(--http2-prior-knowledge)
      ;;
    many) sed -i -e 's/#many //' -e '/ #few$/d' "$dir/$template" ;;
    *tls* | handshake) sed -i -e 's/#tls //' "$dir/$template" ;;
  esac
  [[ $1 != epoll ]] || echo 'io: epoll' >>"$dir/$template"
  rm -f "$dir/access.log"
  taskset -c "$kProxyCore" "${command[@]}" >"$dir/access.log" 2>"$dir/log" &
  proxy_pid=$!
  await_answer "http://127.0.0.1:$proxy_port/" "${http2[@]}"
  worker=$proxy_pid
  [[ $1 != nginx ]] || worker=$(awk '{ print $1 }' "/proc/$proxy_pid/task/$proxy_pid/children") # no newline: not for read
}

stop_proxy() {
  kill "$proxy_pid"
  wait "$proxy_pid" || true
  proxy_pid=''
}

# --- Measuring -------------------------------------------------------------------------------------------------------

cpu_ticks() {
  sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

private_bytes() {
  awk '/^Private_(Clean|Dirty):/ { sum += $2 } END { print sum * 1024 }' "/proc/$1/smaps_rollup"
}

# load SECONDS URL [WRK OPTION]
load() {
  taskset -c "$kLoadCore" wrk -t 1 -c "$kConnections" -d "$1s" -s tests/bench/report.lua "${@:3}" "$2" | tail -n 1
}

# One JSON object per measurement, in $dir/samples.
measure_load() {
  local scenario=$1 proxy=$2 url=http://127.0.0.1:$proxy_port/ generator=load options=() before after result
  case $scenario in
    refusal) url+=refused ;;
    bodies) url+=16MiB options=(-c "$kBodyConnections") ;;
    uploads) options=(-c "$kBodyConnections" -s "$dir/upload.lua") ;;
    many) options=(-c "$kManyConnections") ;;
    h2) generator=load_http2 ;;
    tls) url=https://127.0.0.1:$tls_port/ ;;
    tls_h2) url=https://127.0.0.1:$tls_port/ generator=load_http2 ;;
    handshake) url=https://127.0.0.1:$tls_port/ options=(-H 'Connection: close') ;;
  esac
  "$generator" "$kWarmUpSeconds" "$url" "${options[@]}" >/dev/null
  before=$(cpu_ticks "$worker")
  result=$("$generator" "$duration" "$url" "${options[@]}")
  after=$(cpu_ticks "$worker")
  jq -c --arg scenario "$scenario" --arg proxy "$proxy" --argjson ticks "$((after - before))" \
    --argjson hertz "$(getconf CLK_TCK)" '
    if .requests == 0 or .socket_errors > 0 or .error_statuses != (if $scenario == "refusal" then .requests else 0 end)
    then error("\($proxy) failed in scenario \($scenario): \(tojson)")
    else {$scenario, $proxy, cpu_us: (1e6 * $ticks / $hertz / .requests), rps: (.requests / .seconds), p99_ms} end' \
    <<<"$result" >>"$dir/samples"
}

# load_http2 SECONDS URL: a report as tests/bench/report.lua makes it
load_http2() {
  local counts log=$dir/h2load p99
  rm -f "$log"
  counts=$(taskset -c "$kLoadCore" h2load -t 1 -c "$kHttp2Connections" -m "$kStreams" -D "$1" --log-file "$log" "$2" |
    sed -n 's/^requests: .*done, \([0-9]*\) succeeded, \([0-9]*\) failed, \([0-9]*\) errored.*/\1 \2 \3/p')
  p99=$(cut -f 3 "$log" | sort -n | awk '{ at[NR] = $1 } END { print at[int(NR * 0.99)] / 1000 }')
  jq -nc --argjson seconds "$1" --argjson p99 "$p99" --arg counts "$counts" '$counts | split(" ") | map(tonumber)
    | {requests: .[0], $seconds, p99_ms: $p99, error_statuses: .[1], socket_errors: .[2]}'
}

# Proves that the log was written: its last line must be a request in JSON.
check_log() {
  sleep 1 # for lines that wait for more
  tail -n 1 "$dir/access.log" | jq -e .status >/dev/null || fail "$1 does not log: $(tail -n 1 "$dir/access.log")"
}

measure_idle() {
  local scenario=$1 proxy=$2 arguments=("$proxy_port" "$kIdleConnections") before after line
  [[ $scenario != idle_tls ]] || arguments=("$tls_port" "$kIdleConnections" tls)
  before=$(private_bytes "$worker")
  coproc idle { taskset -c "$kLoadCore" build/release/tests/bench/idle_connections "${arguments[@]}"; }
  idle_pid=$!
  # shellcheck disable=SC2154 # set by coproc
  read -r line <&"${idle[0]}" || true
  [[ $line == idle ]] || fail "$proxy does not hold $kIdleConnections connections"
  sleep "$kIdleSettleSeconds"
  after=$(private_bytes "$worker")
  eval "exec ${idle[1]}>&-"
  wait "$idle_pid" || fail "$proxy closed connections that were to stay"
  idle_pid=''
  jq -nc --arg scenario "$scenario" --arg proxy "$proxy" --argjson bytes "$((after - before))" --argjson count "$kIdleConnections" \
    '{$scenario, $proxy, kib: ($bytes / 1024 / $count)}' >>"$dir/samples"
}

find_port && upstream_port=$port
find_port && proxy_port=$port
find_port && admin_port=$port
find_port && bodies_port=$port
find_port && tls_port=$port
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench -keyout "$dir/tls.pem" \
  -out "$dir/certificate" 2>/dev/null
cat "$dir/certificate" >>"$dir/tls.pem"
taskset -c "$kLoadCore" build/release/tests/bench/trivial_upstream "$upstream_port" "$dir/upstream.sock" &
upstream_pid=$!
mkdir "$dir/www"
head -c "$((kBodyMiB << 20))" /dev/zero >"$dir/www/16MiB"
echo '{"status":"ok"}' >"$dir/www/small"
{
  cat tests/bench/report.lua
  echo "wrk.method, wrk.body = 'POST', string.rep('x', $((kBodyMiB << 20)))"
} >"$dir/upload.lua"
sed -e "s|@DIR@|$dir|; s|@PORT@|$bodies_port|" tests/bench/nginx_bodies.conf >"$dir/nginx_bodies.conf"
taskset -c "$kLoadCore" nginx -c "$dir/nginx_bodies.conf" -e "$dir/bodies_log" &
bodies_pid=$!

for ((round = 1; round <= rounds; round++)); do
  for scenario in "${scenarios[@]}"; do
    for proxy in "${proxies[@]}"; do
      [[ $proxy != nghttpx || $scenario =~ ^(h2|tls|tls_h2|handshake)$ ]] || continue
      [[ $proxy != epoll || $scenario =~ ^(tcp|unix|many|refusal|bodies|uploads|log)$ ]] || continue
      printf '\rround %d of %d: %-9s %-9s' "$round" "$rounds" "$scenario" "$proxy" >&2
      upstream=127.0.0.1:$upstream_port
      [[ $scenario != unix ]] || upstream=unix:$dir/upstream.sock
      [[ $scenario != bodies ]] || upstream=127.0.0.1:$bodies_port
      start_proxy "$proxy" "$upstream" "$scenario"
      case $scenario in
        tcp | unix | many | refusal | bodies | uploads | h2 | tls | tls_h2 | handshake) measure_load "$scenario" "$proxy" ;;
        log)
          measure_load "$scenario" "$proxy"
          check_log "$proxy"
          ;;
        idle | idle_tls) measure_idle "$scenario" "$proxy" ;;
        *) fail "unknown scenario $scenario" ;;
      esac
      stop_proxy
    done
  done
done
printf '\r%40s\r' '' >&2

# --- Reporting -------------------------------------------------------------------------------------------------------

mkdir -p "$(dirname "$report")"
jq -s --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" --arg kernel "$(uname -r)" \
  --arg nginx "$(nginx -v 2>&1 | sed 's/.*: //')" --arg haproxy "$(haproxy -v | head -n 1 | cut -d ' ' -f 3)" \
  --arg commit "$(git describe --always --dirty 2>/dev/null)" \
  --arg nghttpx "$(nghttpx --version | cut -d ' ' -f 2)" \
  --argjson rounds "$rounds" --argjson seconds "$duration" --argjson connections "$kConnections" '
  def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
  (group_by([.scenario, .proxy]) | map(
    {scenario: .[0].scenario, proxy: .[0].proxy}
    + (del(.[].scenario, .[].proxy) | {median: ([.[] | to_entries[]] | group_by(.key)
        | map({key: .[0].key, value: (map(.value) | median)}) | from_entries), rounds: .}))) as $results
  | {$cpu, $kernel, $commit, versions: {$nginx, $haproxy, $nghttpx}, rounds: $rounds, $seconds, $connections, $results,
     # Spillway over the best peer: CPU per request, for `idle` memory per connection. Below 1 is better. The
     # least, the median and the greatest of all rounds, each with itself: the machine is faster in one than in the next.
     ratio_to_best_peer: ($results | group_by(.scenario) | map(
       def costs: .rounds | map(.cpu_us // .kib);
       map(select(.proxy == "spillway" or .proxy == "epoll")) as $own | (. - $own) as $peers | select($peers != [])
       | {key: .[0].scenario, value: ($own | map({key: .proxy, value: (costs as $mine
           | $peers | map([$mine, costs] | transpose | map(.[0] / .[1])) | max_by(median)
           | [min, median, max])}) | from_entries)})
       | from_entries)}' "$dir/samples" >"$report"

jq -r '
  def round2: . * 100 | round / 100;
  .ratio_to_best_peer as $ratio | .results[] | .median as $m
  | $ratio[.scenario][.proxy] as $own
  | [.scenario, .proxy] + (if $m.kib then [($m.kib | round2 | tostring) + " KiB", "-", "-"]
      else [($m.cpu_us | round2 | tostring) + " us", ($m.rps | round), ($m.p99_ms | round2)] end)
    + [if $own then "\($own[1] | round2) (\($own[0] | round2) to \($own[2] | round2))" else "-" end] | @tsv' "$report" |
  awk -F '\t' 'BEGIN { f = "%-9s %-9s %14s %12s %8s %21s\n"
                       printf f, "scenario", "proxy", "per req./conn.", "requests/s", "p99 ms", "to best peer" }
               { printf f, $1, $2, $3, $4, $5, $6 }'
echo "medians of $rounds rounds of $duration s; report in $report"
