#!/usr/bin/env bash
# What cheaper answers are worth under overload: PostgreSQL, the API and the proxy under an open loop of three times what
# they serve without, in rounds that take turns with `degrade_at: 0.80` and with `degrade_at: 0`, shedding alone.
# PostgreSQL has core 1 and is the bottleneck; API, proxy and clients share core 0. Both ways have the same processes:
# the key changes by a reload.
#
#   search   searches with words that a user may type: from 200 to 2,858 of the 10,000 scholarships match
#   mix      of ten requests five searches, two pages of the list, three look-ups
#
# A client waits for a second; 200s that come later do not count.
#
# ROUNDS=5 DURATION=4 SCENARIOS=search,mix TIMES=3
# shellcheck disable=SC2016 # the dollars are jq's
set -euo pipefail

readonly kFrontCore=0 kDatabaseCore=1
readonly kStartSeconds=20
# Of them 12 are of ordinary requests: enough to keep one core of PostgreSQL busy.
readonly kMaxConcurrent=16
readonly kClosedClients=12 # below max_concurrent times shed_at: none is refused while the capacity is measured
readonly kSettleSeconds=2  # at the start of a round; not counted

cd "$(dirname "$0")/../.."
bin=${SPILLWAY_BIN_DIR:-build/release}
export SPILLWAY_BIN_DIR=$bin

fail() {
  echo "make brownout: $*" >&2
  exit 1
}

if [[ ${1:-} != with-database ]]; then
  (($(nproc) >= 2)) || fail "needs two cores, one for PostgreSQL"
  cmake --build "$bin" --target overload_load >/dev/null
  exec taskset -c "$kDatabaseCore" tests/with_postgres.sh tests/bench/brownout.sh with-database
fi
taskset -pc "$kFrontCore" $$ >/dev/null # PostgreSQL alone stays where it is

IFS=, read -ra scenarios <<<"${SCENARIOS:-search,mix}"
rounds=${ROUNDS:-5}
duration=${DURATION:-4}
times=${TIMES:-3}
report=build/reports/brownout.json
export DATABASE_URL=$SPILLWAY_TEST_DATABASE_URL
export API_AUTH_SECRET=for-benchmarks-only-for-benchmarks-only

dir=$(mktemp -d)
api_pid='' proxy_pid=''
trap 'kill -KILL $proxy_pid $api_pid 2>/dev/null || true; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# shellcheck source=tests/bench/services.sh
. tests/bench/services.sh

configure_api() {
  cat >"$dir/api.yaml" <<-END
	listen: 127.0.0.1:$api_port
	degrade_at: $1
	database: {url: "\${env:DATABASE_URL}"}
	auth: {secret: "\${env:API_AUTH_SECRET}"}
	END
}

start() {
  find_port
  api_port=$port
  configure_api 0
  "$bin/api/scholarship-api" --config "$dir/api.yaml" >"$dir/log" 2>&1 &
  api_pid=$!
  await_answer "http://127.0.0.1:$api_port/ready" -f
  find_port
  cat >"$dir/proxy.yaml" <<-END
	listen: 127.0.0.1:$port
	admin: {listen: "127.0.0.1:0"}
	upstream: {address: "127.0.0.1:$api_port"}
	admission: {max_concurrent: $kMaxConcurrent}
	log: {access: "off"}
	END
  "$bin/proxy/spillway" --config "$dir/proxy.yaml" >"$dir/proxy.log" 2>&1 &
  proxy_pid=$!
  await_answer "http://127.0.0.1:$port/health" -f
}

# degrade_at SHARE
degrade_at() {
  local reloads
  reloads=$(grep -c reloaded "$dir/log" || true)
  configure_api "$1"
  kill -HUP "$api_pid"
  for ((i = 0; i < kStartSeconds * 10; i++)); do
    (($(grep -c reloaded "$dir/log" || true) > reloads)) && return
    sleep 0.1
  done
  fail "the API does not reload: $(tail -n 1 "$dir/log")"
}

# load STREAM...: prints what overload_load does
load() {
  "$bin/tests/bench/overload_load" "$port" "$((kSettleSeconds + duration))" "$kSettleSeconds" \
    "$((kSettleSeconds + duration))" "$@" || fail "the load ended"
}

paths_of() {
  local word
  local -a searches=()
  for word in nursing engineering scholarship computer+science community; do
    searches+=("path=/api/v1/search?q=$word")
  done
  case $1 in
    search) echo "${searches[*]}" ;;
    mix)
      echo "${searches[*]} path=/api/v1/scholarships path=/api/v1/scholarships?limit=100&major=law" \
        "path=/api/v1/scholarships/17 path=/api/v1/scholarships/4711 path=/api/v1/scholarships/42"
      ;;
    *) fail "unknown scenario $1" ;;
  esac
}

# measure SCENARIO CAPACITY WAY SHARE
measure() {
  degrade_at "$4"
  load "name=$1 token=$token rate=$(jq -n "$2 * $times") $(paths_of "$1")" |
    jq -c --arg scenario "$1" --arg way "$3" --argjson capacity "$2" --argjson seconds "$duration" \
      '.send_lag_ms.p99 as $lag | .streams[0] | {$scenario, $way, $capacity, ok: (.ok_in_time / $seconds),
        degraded: (.degraded / $seconds), offered: (.sent / $seconds), p99_ms: .ok_ms.p99, statuses, send_lag_ms: $lag}' \
      >>"$dir/samples"
}

start
token=$(curl -sf "http://127.0.0.1:$port/api/v1/auth/login" -d username=admin -d password=admin123 | jq -r .access_token)
for scenario in "${scenarios[@]}"; do
  capacity=$(load "name=capacity token=$token closed=$kClosedClients $(paths_of "$scenario")" |
    jq ".streams[0].ok_in_time / $duration")
  for ((round = 1; round <= rounds; round++)); do
    printf '\r%s, round %d of %d, capacity %.0f/s   ' "$scenario" "$round" "$rounds" "$capacity" >&2
    measure "$scenario" "$capacity" shedding 0
    measure "$scenario" "$capacity" brownout 0.80
  done
done
printf '\r%60s\r' '' >&2

mkdir -p "$(dirname "$report")"
jq -s --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
  --arg commit "$(git describe --always --dirty 2>/dev/null)" --arg date "$(date -u +%F)" --argjson times "$times" '
  def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
  {$cpu, $commit, $date, $times, rounds: ., scenarios: (group_by(.scenario) | map(
    (map(select(.way == "shedding")) as $s | map(select(.way == "brownout")) as $b
     | {scenario: .[0].scenario, capacity: .[0].capacity, offered: (map(.offered) | median),
        shedding: ($s | map(.ok) | median), brownout: ($b | map(.ok) | median),
        degraded: ($b | map(.degraded) | median), send_lag_ms: (map(.send_lag_ms) | max),
        shedding_p99_ms: ($s | map(.p99_ms) | median), brownout_p99_ms: ($b | map(.p99_ms) | median)})
    | .factor = .brownout / .shedding))}' "$dir/samples" >"$report"

jq -r '.scenarios[] | "\(.scenario): capacity \(.capacity | round)/s, offered \(.offered | round)/s. 200s a second: " +
  "\(.shedding | round) with shedding alone (p99 \(.shedding_p99_ms | round) ms), \(.brownout | round) with brown-out " +
  "(p99 \(.brownout_p99_ms | round) ms, \(.degraded | round) degraded): factor \(.factor * 100 | round / 100)"' "$report"
echo "medians of $rounds rounds of $duration s; report in $report"
