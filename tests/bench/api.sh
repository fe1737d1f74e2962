#!/usr/bin/env bash
# scholarship-api beside the stack that it replaces (tests/bench/baseline: FastAPI and SQLAlchemy, once with the default
# pool, once with the recommended one) on one PostgreSQL with the same data and queries; pgbench is what PostgreSQL
# itself can do. PostgreSQL has core 1, everything else core 0.
#
#   cost     CPU time of the service per lookup and per search, 20 clients; they take turns in every round
#   pgbench  look-ups and searches of the API, and the same statements by pgbench -M prepared: as many connections, the
#            same cores, in turns. The API shares its core with wrk; so wrk and pgbench run as batch jobs, which do not
#            interrupt the API at each response. A client on a machine of its own does not, either.
#   memory   private memory of scholarship-api with 50 open connections
#   storm    searches, 200 a second, alone and beside 200 logins a second of one user (all cores for
#            everybody; no limit on failures, which would cut the storm off)
#   users    5, 50 and 500 users at once: the baseline, the API, the API behind the proxy (all cores for everybody).
#            LAYERS sessions are open at a time during a request of the baseline: see baseline/app.py
#
# ROUNDS=3 DURATION=5 SCENARIOS=cost,pgbench,memory,storm,users LAYERS=4
# shellcheck disable=SC2016 # the dollars are jq's
set -euo pipefail

readonly kServiceCore=0 kDatabaseCore=1
readonly kClients=20 kMemoryConnections=50
readonly kWarmUpSeconds=1 kUsersWarmUpSeconds=5 kStartSeconds=20
readonly kSearchWord=nursing kSearchLimit=20
readonly kStormLogins=200 kStormSearches=200 kStormUsers=16

cd "$(dirname "$0")/../.."
bin=${SPILLWAY_BIN_DIR:-build/release}
export SPILLWAY_BIN_DIR=$bin

fail() {
  echo "make bench-api: $*" >&2
  exit 1
}

if [[ ${1:-} != with-database ]]; then
  (($(nproc) >= 2)) || fail "needs two cores, one for PostgreSQL"
  cmake --build "$bin" --target users >/dev/null
  exec taskset -c "$kDatabaseCore" tests/with_postgres.sh tests/bench/api.sh with-database
fi
taskset -pc 0-$(($(nproc) - 1)) $$ >/dev/null # PostgreSQL alone stays where it is

IFS=, read -ra scenarios <<<"${SCENARIOS:-cost,pgbench,memory,storm,users}"
rounds=${ROUNDS:-3}
duration=${DURATION:-5}
layers=${LAYERS:-4}
report=build/reports/bench-api.json
export DATABASE_URL=$SPILLWAY_TEST_DATABASE_URL
export API_AUTH_SECRET=for-benchmarks-only-for-benchmarks-only
postgres_pid=$(psql -XAtc "SELECT pg_read_file('postmaster.pid')" "$DATABASE_URL" | head -n 1)

dir=$(mktemp -d)
service_pid='' proxy_pid='' storm_pid=''
as_batch=() # before a command: the scheduler does not let it interrupt others
trap 'kill -KILL $storm_pid $proxy_pid $service_pid 2>/dev/null || true; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

# --- The processes ---------------------------------------------------------------------------------------------------

# shellcheck source=tests/bench/services.sh
. tests/bench/services.sh

# start NAME CORES [POOL SETTINGS]: the service on $port; `service_pid` is then the process that serves
start() {
  find_port
  case $1 in
    fastapi-*)
      POOL=${1#fastapi-} LAYERS=$request_layers taskset -c "$2" /usr/bin/python3 -B -m uvicorn --app-dir tests/bench/baseline \
        --port "$port" --log-level critical --no-access-log --loop uvloop --http httptools app:app >"$dir/log" 2>&1 &
      ;;
    *)
      cat >"$dir/api.yaml" <<-END
	listen: 127.0.0.1:$port
	database: {url: "\${env:DATABASE_URL}"${3:+, $3}}
	auth: {secret: "\${env:API_AUTH_SECRET}", max_failures: 0}
	END
      taskset -c "$2" "$bin/api/scholarship-api" --config "$dir/api.yaml" >"$dir/log" 2>&1 &
      ;;
  esac
  service_pid=$!
  await_answer "http://127.0.0.1:$port/health" -f
}

start_proxy() {
  local upstream=$port
  find_port
  cat >"$dir/proxy.yaml" <<-END
	listen: 127.0.0.1:$port
	admin: {listen: "127.0.0.1:0"}
	upstream: {address: "127.0.0.1:$upstream"}
	log: {access: "off"}
	END
  "$bin/proxy/spillway" --config "$dir/proxy.yaml" >"$dir/proxy.log" 2>&1 &
  proxy_pid=$!
  await_answer "http://127.0.0.1:$port/health" -f
}

# The baseline would wait for each of its requests that wait for a connection.
stop() {
  local pid
  for pid in $proxy_pid $service_pid; do
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
  done
  service_pid='' proxy_pid=''
}

# --- Measuring -------------------------------------------------------------------------------------------------------

sample() {
  jq -nc "$@" >>"$dir/samples"
}

cpu_ticks() {
  sed 's/.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'
}

private_kib() {
  awk '/^Private_(Clean|Dirty):/ { sum += $2 } END { print sum }' "/proc/$1/smaps_rollup"
}

load() {
  taskset -c "$kServiceCore" "${as_batch[@]}" wrk -t 1 -c "$1" -d "$2s" -s tests/bench/api.lua "http://127.0.0.1:$port/" -- "$token" "$3" |
    tail -n 1
}

# measure_cost SERVICE KIND
measure_cost() {
  local before result after
  load "$kClients" "$kWarmUpSeconds" "$2" >/dev/null
  before=$(cpu_ticks "$service_pid")
  result=$(load "$kClients" "$duration" "$2")
  after=$(cpu_ticks "$service_pid")
  jq -e '.requests > 0 and .socket_errors == 0 and .error_statuses == 0' <<<"$result" >/dev/null ||
    fail "$1 failed at $2: $result"
  sample --arg scenario "$2" --arg service "$1" --argjson ticks "$((after - before))" \
    --argjson hertz "$(getconf CLK_TCK)" --argjson r "$result" \
    '{$scenario, $service, cpu_us: (1e6 * $ticks / $hertz / $r.requests), rps: ($r.requests / $r.seconds), p99_ms: $r.p99_ms}'
}

# What pgbench gets of the statements of a look-up or a search, in transactions per second. The API asks for one row
# more than it shows, from the best score and the first id on.
pgbench_tps() {
  taskset -c "$kServiceCore" "${as_batch[@]}" pgbench -n -M prepared -c "$kClients" -j 1 -T "$duration" \
    -D words="$kSearchWord" -D today="$(date -u +%F)" -D score=2147483647 -D id=0 -D limit="$((kSearchLimit + 1))" \
    -f "tests/bench/baseline/$1.sql" "$DATABASE_URL" 2>/dev/null | sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}

measure_pgbench() {
  sample --arg scenario "$1" --argjson rps "$(pgbench_tps "$1")" '{$scenario, service: "pgbench", rps: $rps}'
}

# Both services must give the same response, or the comparison means nothing.
compare_answers() {
  local path
  for path in "/api/v1/scholarships/17" "/api/v1/scholarships/42" "/api/v1/search?q=$kSearchWord"; do
    curl -sf -H "Authorization: Bearer $token" "http://127.0.0.1:$port$path" | jq -S 'del(.next_cursor)'
  done >"$dir/answers.$1"
  cmp -s "$dir/answers.$1" "$dir/answers.scholarship-api" || fail "$1 does not answer as scholarship-api does: $(diff "$dir/answers.$1" "$dir/answers.scholarship-api" | head -n 4)"
}

run_cost() {
  local service
  request_layers=1
  for ((round = 1; round <= rounds; round++)); do
    for service in scholarship-api fastapi-default fastapi-recommended; do
      printf '\rcost, round %d of %d: %-20s' "$round" "$rounds" "$service" >&2
      start "$service" "$kServiceCore"
      ((round > 1)) || compare_answers "$service"
      measure_cost "$service" lookup
      measure_cost "$service" search
      stop
    done
    measure_pgbench lookup
    measure_pgbench search
  done
}

run_pgbench() {
  local kind pgbench result as_batch=(chrt --batch 0)
  start scholarship-api "$kServiceCore" "pool_size: $kClients, max_overflow: 0"
  for kind in lookup search; do
    load "$kClients" "$kWarmUpSeconds" "$kind" >/dev/null
    for ((round = 1; round <= rounds; round++)); do
      printf '\rpgbench, %s, round %d of %d        ' "$kind" "$round" "$rounds" >&2
      ((round % 2 == 0)) || pgbench=$(pgbench_tps "$kind")
      result=$(load "$kClients" "$duration" "$kind")
      ((round % 2 == 1)) || pgbench=$(pgbench_tps "$kind") # neither always has the warmer start
      jq -e '.requests > 0 and .socket_errors == 0 and .error_statuses == 0' <<<"$result" >/dev/null ||
        fail "scholarship-api failed at $kind: $result"
      sample --arg kind "$kind" --argjson pgbench "$pgbench" --argjson r "$result" \
        '{scenario: "pgbench", $kind, $pgbench, rps: ($r.requests / $r.seconds)}'
    done
  done
  stop
}

run_memory() {
  printf '\r%-40s' memory >&2
  start scholarship-api "$kServiceCore" "pool_size: $kMemoryConnections, max_overflow: 0"
  load "$kMemoryConnections" 3 search >/dev/null
  load "$kMemoryConnections" 2 lookup >/dev/null
  sample --argjson mib "$(($(private_kib "$service_pid")))" --argjson open "$(
    psql -XAtc "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'scholarship-api'" "$DATABASE_URL"
  )" '{scenario: "memory", service: "scholarship-api", connections: $open, private_mib: ($mib / 1024)}'
  stop
}

users() {
  "$bin/tests/bench/users" "$port" "$@"
}

run_storm() {
  local quiet storm logins
  printf '\r%-40s' storm >&2
  start scholarship-api 0-$(($(nproc) - 1))
  for ((round = 1; round <= rounds; round++)); do
    quiet=$(users "$kStormUsers" 1 "$((2 * duration))" "$kStormSearches" "$dir/search")
    users 64 0 "$((2 * duration + 3))" "$kStormLogins" "$dir/login" >"$dir/logins" &
    storm_pid=$!
    sleep 1
    storm=$(users "$kStormUsers" 1 "$((2 * duration))" "$kStormSearches" "$dir/search")
    wait "$storm_pid"
    storm_pid=''
    logins=$(<"$dir/logins")
    sample --argjson quiet "$quiet" --argjson storm "$storm" --argjson logins "$logins" \
      '{scenario: "storm", service: "scholarship-api", $quiet, $storm, $logins}'
  done
  stop
}

run_users() {
  local stack count
  request_layers=$layers
  for stack in fastapi-default fastapi-recommended scholarship-api scholarship-api+proxy; do
    for count in 5 50 500; do
      printf '\rusers: %-22s %3d   ' "$stack" "$count" >&2
      start "${stack%+proxy}" 0-$(($(nproc) - 1))
      [[ $stack != *+proxy ]] || start_proxy
      sample --arg service "$stack" --argjson users "$count" --argjson seconds "$((2 * duration))" --argjson r "$(
        users "$count" "$kUsersWarmUpSeconds" "$((2 * duration))" 0 "$dir/lookup" "$dir/search"
      )" '{scenario: "users", $service, $users, $seconds} + $r'
      stop
    done
  done
}

# The database may have every core where not only the service's own cost is measured.
free_database() {
  taskset -apc 0-$(($(nproc) - 1)) "$postgres_pid" >/dev/null
}

request_layers=1
start scholarship-api "$kServiceCore"
token=$(curl -sf "http://127.0.0.1:$port/api/v1/auth/login" -d username=admin -d password=admin123 | jq -r .access_token)
compare_answers scholarship-api
stop
for path in "scholarships/4711" "search?q=$kSearchWord"; do
  printf 'GET /api/v1/%s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n' "$path" "$token" \
    >"$dir/$([[ $path == search* ]] && echo search || echo lookup)"
done
printf 'POST /api/v1/auth/login HTTP/1.1\r\nHost: bench\r\nContent-Length: 32\r\n\r\nusername=admin&password=admin123' >"$dir/login"

for scenario in "${scenarios[@]}"; do
  [[ $scenario != storm && $scenario != users ]] || free_database
  case $scenario in
    cost | pgbench | memory | storm | users) "run_$scenario" ;;
    *) fail "unknown scenario $scenario" ;;
  esac
done
printf '\r%50s\r' '' >&2

# --- Reporting -------------------------------------------------------------------------------------------------------

mkdir -p "$(dirname "$report")"
jq -s --arg cpu "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
  --arg commit "$(git describe --always --dirty 2>/dev/null)" --arg date "$(date -u +%F)" \
  --argjson rounds "$rounds" --argjson layers "$layers" '
  def median: sort | if length % 2 == 1 then .[length / 2 | floor] else (.[length / 2 - 1] + .[length / 2]) / 2 end;
  {$cpu, $commit, $date, $rounds, $layers,
   cost: (map(select(.scenario == "lookup" or .scenario == "search")) | group_by([.scenario, .service])
     | map({scenario: .[0].scenario, service: .[0].service, rps: (map(.rps) | median)}
           + if .[0].cpu_us then {cpu_us: (map(.cpu_us) | median), p99_ms: (map(.p99_ms) | median)} else {} end)),
   pgbench: (map(select(.scenario == "pgbench")) | group_by(.kind)
     | map({kind: .[0].kind, pgbench: (map(.pgbench) | median), rps: (map(.rps) | median),
            ratios: (map(.rps / .pgbench) | sort), ratio: (map(.rps / .pgbench) | median)})),
   memory: (map(select(.scenario == "memory")) | first),
   storm: (map(select(.scenario == "storm"))
     | if . == [] then null else {rounds: ., p99_ratio: ((map(.storm.p99_ms) | median) / (map(.quiet.p99_ms) | median))} end),
   users: map(select(.scenario == "users"))}
  | .cost as $cost | def of($s; $k): $cost | map(select(.scenario == $k and .service == $s)) | first;
  . + if $cost == [] then {} else {ratios: {
        lookup_cpu: (of("fastapi-recommended"; "lookup").cpu_us / of("scholarship-api"; "lookup").cpu_us),
        search_cpu: (of("fastapi-recommended"; "search").cpu_us / of("scholarship-api"; "search").cpu_us),
        search_of_pgbench: (of("scholarship-api"; "search").rps / of("pgbench"; "search").rps),
        lookup_of_pgbench: (of("scholarship-api"; "lookup").rps / of("pgbench"; "lookup").rps)}} end' \
  "$dir/samples" >"$report"

jq -r '
  def round2: . * 100 | round / 100;
  (.cost[] | "\(.scenario) \(.service): \(.rps | round)/s" + if .cpu_us then ", \(.cpu_us | round2) us CPU, p99 \(.p99_ms | round2) ms" else "" end),
  (.ratios // {} | to_entries[] | "\(.key): \(.value | round2)"),
  (.pgbench[] | "\(.kind): \(.rps | round)/s, pgbench \(.pgbench | round)/s, median ratio of a round \(.ratio | round2) (\(.ratios[0] | round2) to \(.ratios[-1] | round2))"),
  (.memory // empty | "memory: \(.private_mib | round2) MiB private with \(.connections) connections"),
  (.storm // empty | (.rounds[] | "storm: search p99 \(.quiet.p99_ms | round2) ms quiet, \(.storm.p99_ms | round2) ms beside \(.logins.ok) logins and \(.logins.refused) refused"),
    "storm: p99 ratio \(.p99_ratio | round2)")' "$report"
jq -r '
  def round1: . * 10 | round / 10;
  .users[] | (.ok + .refused + .failed + .silent) as $all
  | [.service, .users, (.ok / .seconds | round)] + ([.ok, .refused, .failed + .silent] | map(100 * . / ([$all, 1] | max) | round1))
    + [(.p95_ms | round1), (.p99_ms | round1)] | @tsv' "$report" |
  awk -F '\t' 'BEGIN { f = "%-22s %6s %9s %8s %10s %9s %9s %9s\n" }
               NR == 1 { printf f, "stack", "users", "ok/s", "ok %", "refused %", "failed %", "p95 ms", "p99 ms" }
               { printf f, $1, $2, $3, $4, $5, $6, $7, $8 }'
echo "medians of $rounds rounds of $duration s; report in $report"
