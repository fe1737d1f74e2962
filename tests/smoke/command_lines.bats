#!/usr/bin/env bats
# shellcheck disable=SC2154 # stderr and stderr_lines are set by run
# The command lines of both programs: what they print, and exit statuses 0 (fine), 1 (failed), 2 (usage).

setup_file() {
  bats_require_minimum_version 1.5.0
  root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  bin=${SPILLWAY_BIN_DIR:-$root/build/release}
  export root proxy=$bin/proxy/spillway api=$bin/api/scholarship-api
  # What config/api.yaml takes from the environment.
  export DATABASE_URL=postgresql://user:hidden-password@/db API_AUTH_SECRET=hidden-secret-hidden-secret-hidden-secret
}

# for_both STATUS ARGUMENTS...: the output of both programs is in $output_of_proxy and $output_of_api.
for_both() {
  local expected=$1
  shift
  run "-$expected" "$proxy" "$@"
  output_of_proxy=$output
  run "-$expected" "$api" "$@"
  output_of_api=$output
}

@test "--version names the program and its version" {
  for_both 0 --version
  [[ $output_of_proxy =~ ^spillway\ [0-9]+\.[0-9]+\.[0-9]+ ]]
  [[ $output_of_api =~ ^scholarship-api\ [0-9]+\.[0-9]+\.[0-9]+ ]]
}

@test "--help lists the options" {
  for_both 0 --help
  local option
  for option in --config --check-config --print-config --print-schema --version; do
    [[ $output_of_proxy == *"$option"* && $output_of_api == *"$option"* ]] || { echo "no $option" && return 1; }
  done
  [[ $output_of_proxy == *--print-metrics* && $output_of_proxy == *healthcheck* ]]
  [[ $output_of_api == *migrate* && $output_of_api == *seed-demo* ]]
}

@test "an unknown option is a usage error, status 2" {
  for_both 2 --no-such-option
  for_both 2 no-such-command
  for_both 2 --config
  for_both 2 --print-config=nonsense
}

@test "the shipped configuration is valid" {
  run -0 "$proxy" --config "$root/config/proxy.yaml" --check-config
  run -0 "$api" --config "$root/config/api.yaml" --check-config
}

@test "the defaults are printed as a configuration that is valid" {
  "$proxy" --print-config=defaults --config "$root/config/proxy.yaml" >"$BATS_TEST_TMPDIR/proxy.yaml"
  run -0 "$proxy" --config "$BATS_TEST_TMPDIR/proxy.yaml" --check-config
}

@test "a broken configuration: every error with its place, status 1" {
  cat >"$BATS_TEST_TMPDIR/broken.yaml" <<-'END'
	lisen: 0.0.0.0:8080
	workers: none
	limits:
	  head: 16 parsecs
	admission:
	  shed_at: 7
	END
  run -1 --separate-stderr "$proxy" --config "$BATS_TEST_TMPDIR/broken.yaml" --check-config
  printf '%s\n' "$stderr"
  [[ ${#stderr_lines[@]} == 4 ]]
  [[ ${stderr_lines[0]} == *broken.yaml:1:1:\ lisen:*listen* ]] # with the near miss
  [[ ${stderr_lines[1]} == *broken.yaml:2:10:\ workers:* ]]
  [[ ${stderr_lines[2]} == *broken.yaml:4:9:\ limits.head:* ]]
  [[ ${stderr_lines[3]} == *broken.yaml:6:12:\ admission.shed_at:* ]]
  # The same without --check-config: nothing starts.
  run -1 timeout 5 "$proxy" --config "$BATS_TEST_TMPDIR/broken.yaml"
}

@test "a broken API configuration: every error with its place, status 1" {
  cat >"$BATS_TEST_TMPDIR/broken.yaml" <<-'END'
	database:
	  url: postgresql:///db
	  pool_size: many
	auth:
	  secret: ${env:NO_SUCH_VARIABLE_HERE}
	END
  run -1 --separate-stderr "$api" --config "$BATS_TEST_TMPDIR/broken.yaml" --check-config
  printf '%s\n' "$stderr"
  [[ ${#stderr_lines[@]} == 2 ]]
  [[ ${stderr_lines[0]} == *broken.yaml:3:14:\ database.pool_size:* ]]
  [[ ${stderr_lines[1]} == *broken.yaml:5:11:\ auth.secret:*NO_SUCH_VARIABLE_HERE* ]]
}

@test "a missing file is reported in one line, status 1" {
  run -1 --separate-stderr "$proxy" --config /no/such/file.yaml
  [[ ${#stderr_lines[@]} == 1 && $stderr == *"/no/such/file.yaml"* ]]
  run -1 --separate-stderr "$api" --config /no/such/file.yaml
  [[ ${#stderr_lines[@]} == 1 && $stderr == *"/no/such/file.yaml"* ]]
}

@test "the effective configuration of the API shows no secret" {
  run -0 "$api" --config "$root/config/api.yaml" --print-config
  [[ $output == *pool_size* && $output != *hidden* ]]
}

@test "--print-schema is JSON Schema" {
  for_both 0 --print-schema
  jq -e '."$schema" | contains("2020-12")' <<<"$output_of_proxy"
  jq -e '."$schema" | contains("2020-12")' <<<"$output_of_api"
}

@test "--print-metrics names every metric" {
  run -0 "$proxy" --print-metrics
  [[ $output == *database_pool_size* && $output == *spillway_requests_total* && $output == *load_shedding_rejections* ]]
  run -0 "$api" --print-metrics
  [[ $output == *database_pool_size* && $output == *scholarship_api_requests_total* ]]
}

@test "options are accepted before and after a subcommand" {
  local config=$root/config/proxy.yaml
  local subcommand
  for subcommand in healthcheck advise; do
    run -1 "$proxy" --config "$config" "$subcommand" --admin 127.0.0.1:1
    run -1 "$proxy" "$subcommand" --config "$config" --admin 127.0.0.1:1
    run -1 "$proxy" "$subcommand" --admin 127.0.0.1:1 --set workers=2
    run -2 "$proxy" "$subcommand" --no-such-option
    run -2 "$proxy" "$subcommand" no-such-argument
  done
  run -2 "$proxy" healthcheck advise --admin 127.0.0.1:1
}

@test "healthcheck fails when there is no proxy" {
  run -1 "$proxy" healthcheck --admin 127.0.0.1:1
}

@test "advise fails when there is no proxy, and says which address" {
  run -1 "$proxy" advise --admin 127.0.0.1:1
  [[ $output == *127.0.0.1:1* ]]
  run -2 "$proxy" advise --admin nonsense
}

@test "--format=json reports the errors of a configuration as one JSON object" {
  printf 'admission: {max_concurent: 5}\n' >"$BATS_TEST_TMPDIR/broken.yaml"
  run -1 "$proxy" --config "$BATS_TEST_TMPDIR/broken.yaml" --check-config --format=json
  jq -e '.valid == false and (.errors | length) == 1 and .errors[0].line == 1 and .errors[0].column == 13 and
    .errors[0].path == "admission.max_concurent" and (.errors[0].message | contains("did you mean max_concurrent?"))' \
    <<<"$output"
  run -0 "$proxy" --config "$root/config/proxy.yaml" --check-config --format=json
  jq -e '.valid and .errors == []' <<<"$output"
}

@test "healthcheck agrees with /ready; a full disk loses log lines and fails no request" {
  source "$root/tests/smoke/stack.bash"
  find_port && local traffic=$port
  find_port && local admin=$port
  find_port
  # No API: not ready. Requests get 502, and each is a line that cannot be written.
  cat >"$BATS_TEST_TMPDIR/proxy.yaml" <<-END
	listen: 127.0.0.1:$traffic
	admin: {listen: 127.0.0.1:$admin}
	upstream: {address: 127.0.0.1:$port}
	breaker: {enabled: false}
	log: {format: json}
	END
  timeout 120 "$proxy" --config "$BATS_TEST_TMPDIR/proxy.yaml" >/dev/full 2>&1 3>&- &
  local pid=$! i
  for ((i = 0; i < 200; i++)); do
    ! curl -fs -o /dev/null "http://127.0.0.1:$admin/health" || break
    sleep 0.1
  done
  run -1 "$proxy" healthcheck --admin "127.0.0.1:$admin"
  # Where the configuration says, also if it has been broken since.
  run -1 "$proxy" healthcheck --config "$BATS_TEST_TMPDIR/proxy.yaml"
  [[ $output == *"127.0.0.1:$admin: "*"503"* ]]
  { cat "$BATS_TEST_TMPDIR/proxy.yaml" && echo 'workerz: 2'; } >"$BATS_TEST_TMPDIR/broken.yaml"
  run -0 "$proxy" --config "$BATS_TEST_TMPDIR/broken.yaml" advise
  run -0 "$proxy" advise --admin "127.0.0.1:$admin" --config "$root/config/proxy.yaml"
  [[ ${lines[0]} == "The traffic does not show yet what the API can do"* && ${#lines[@]} == 3 ]]
  for ((i = 0; i < 5; i++)); do
    [[ $(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$traffic/") == 502 ]]
  done
  dropped() { curl -s "http://127.0.0.1:$admin/metrics" | sed -n 's/^spillway_log_lines_dropped_total //p'; }
  for ((i = 0; i < 200; i++)); do
    (($(dropped) < 8)) || break # three of the start, and five
    sleep 0.1
  done
  (($(dropped) >= 8))
  # Reloads by itself: without polls the API counts as reachable.
  sed -i 's/^upstream: {/&health: {interval: 0}, /' "$BATS_TEST_TMPDIR/proxy.yaml"
  for ((i = 0; i < 200; i++)); do
    ! "$proxy" healthcheck --admin "127.0.0.1:$admin" 2>/dev/null || break
    sleep 0.1
  done
  run -0 "$proxy" healthcheck --admin "127.0.0.1:$admin"
  kill -TERM "$pid"
  wait "$pid"
}
