#!/usr/bin/env bash
# Good traffic beside slowhttptest in each of its modes, through a whole stack in its shipped configuration: slow heads
# (-H), slow bodies (-B), slow readers (-X). Good traffic must lose nothing, and its p99 stay within 1.5 times that of
# the quiet stack, as medians over all rounds: in each, the attack is measured between two quiet runs.
#
# slowhttptest keeps a whole processor busy, which a real attacker would not. So that both runs have that load, in the
# quiet runs it attacks a decoy, a second proxy in front of the same API.
#
#   ROUNDS=3 DURATION=6 MODES=H,B,X CONNECTIONS=1000
set -euo pipefail

readonly kRatioMax=1.5
readonly kUsers=16 kRate=1000 # good traffic: look-ups a second, answered or not; 1 % of a run are 60
readonly kConnectRate=1000   # connections a second of the attack: all are open when measuring begins
readonly kWarmUpSeconds=2
readonly kScholarship=17

cd "$(dirname "$0")/../.."
# shellcheck source=tests/smoke/stack.bash
source tests/smoke/stack.bash
IFS=, read -ra modes <<<"${MODES:-H,B,X}"
rounds=${ROUNDS:-3}
duration=${DURATION:-6} # with the warm-up less than the 10 s after which a slow head is answered 408
connections=${CONNECTIONS:-1000}

fail() {
  echo "make slowhttp: $*" >&2
  exit 1
}

ulimit -n "$(ulimit -Hn)"
slow_pid='' decoy_pid=''
prepare_stack
trap 'kill $slow_pid $decoy_pid 2>/dev/null || true; remove_stack' EXIT
trap 'exit 130' INT TERM
start_stack deploy/dev/run.sh
token=$(curl -sf "$URL/api/v1/auth/login" -d username=admin -d password=admin123 | jq -r .access_token)
printf 'GET /api/v1/scholarships/%d HTTP/1.1\r\nHost: good\r\nAuthorization: Bearer %s\r\n\r\n' $kScholarship "$token" \
  >"$STACK_DIR/request"

# good SECONDS: p99 in ms of good traffic; fails when it loses a request
good() {
  local result
  result=$("$SPILLWAY_BIN_DIR/tests/bench/users" "${URL##*:}" $kUsers $kWarmUpSeconds "$1" $kRate "$STACK_DIR/request")
  jq -e '.ok > 0 and .refused + .failed + .silent == 0' <<<"$result" >/dev/null || fail "good traffic lost requests: $result"
  jq -r .p99_ms <<<"$result"
}

find_port && decoy=http://localhost:$port
find_port && decoy_admin=$port
sed "s/:${URL##*:}\b/:${decoy##*:}/; s/:${ADMIN##*:}\b/:$decoy_admin/" "$STACK_DIR/proxy.yaml" >"$STACK_DIR/decoy.yaml"
"$SPILLWAY_BIN_DIR/proxy/spillway" --config "$STACK_DIR/decoy.yaml" >"$STACK_DIR/decoy.log" &
decoy_pid=$!
until "$SPILLWAY_BIN_DIR/proxy/spillway" healthcheck --admin "127.0.0.1:$decoy_admin" 2>/dev/null; do
  kill -0 "$decoy_pid" 2>/dev/null || fail "the decoy has ended: $(<"$STACK_DIR/decoy.log")"
  sleep 0.1
done

# open_connections URL: the connections that the attacked proxy counts
open_connections() {
  ss -Htn state established "sport = :${1##*:}" | wc -l
}

# attack MODE URL: in the background until killed. Slow readers ask for the largest answer that needs no login.
attack() {
  local target=$2 options=(-c "$connections" -r "$kConnectRate" -l 3600 -p 3)
  case $1 in
    H) options+=(-u "$target/" -i 5 -x 24) ;;
    B) options+=(-u "$target/api/v1/auth/login" -i 5 -x 24 -s 8192) ;;
    X) options+=(-u "$target/api/v1/openapi.json" -w 256 -y 512 -n 5 -z 32 -k 3) ;;
    *) fail "unknown mode $1" ;;
  esac
  slowhttptest "-$1" "${options[@]}" >"$STACK_DIR/slow.log" 2>&1 &
  slow_pid=$!
  for ((i = 0; i < 200; i++)); do
    (($(open_connections "$target") < connections / 2)) || return 0
    sleep 0.1
  done
  fail "the attack of mode $1 did not open its connections: $(tail -n 5 "$STACK_DIR/slow.log")"
}

# beside MODE URL: sets p99 to that of good traffic while URL is attacked
beside() {
  attack "$1" "$2"
  p99=$(good "$duration")
  (($(open_connections "$2") > connections / 2)) || fail "most of the attack of mode $1 was over before the end"
  kill -KILL "$slow_pid"
  wait "$slow_pid" 2>/dev/null || true
  slow_pid=''
}

for ((round = 1; round <= rounds; round++)); do
  for mode in "${modes[@]}"; do
    alone=$(good "$duration")
    beside "$mode" "$decoy"
    before=$p99
    beside "$mode" "$URL"
    attacked=$p99
    beside "$mode" "$decoy"
    jq -nc --arg mode "$mode" --argjson alone "$alone" --argjson quiet "[$before, $p99]" --argjson attacked "$attacked" \
      '{$mode, $alone, $quiet, $attacked}' | tee -a "$STACK_DIR/samples"
  done
done

jq -rs --argjson max $kRatioMax '
  def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;
  def round2: . * 100 | round / 100;
  group_by(.mode)[]
  | {mode: .[0].mode, alone: (map(.alone) | median), quiet: (map(.quiet[]) | median), attacked: (map(.attacked) | median)}
  | .ratio = .attacked / .quiet
  | "-\(.mode): p99 \(.attacked | round2) ms, with the decoy attacked \(.quiet | round2) ms, ratio \(.ratio | round2);"
    + " with nothing beside it \(.alone | round2) ms" + if .ratio > $max then " FAIL" else "" end
  ' "$STACK_DIR/samples" | tee "$STACK_DIR/verdict"
! grep -q FAIL "$STACK_DIR/verdict" || fail "the p99 of good traffic is more than $kRatioMax times that of the quiet stack"
