#!/usr/bin/env bats
# What a running stack must do, tried with curl.
#
# URL            the proxy          http://localhost:8080
# ADMIN          its admin server   http://localhost:9901
# REFUSED_PATH   a path whose class has shed_at: 0; without it the tests of refusals are skipped

setup_file() {
  bats_require_minimum_version 1.5.0
  export URL=${URL:-http://localhost:8080} ADMIN=${ADMIN:-http://localhost:9901}
  TOKEN=$(curl -fsS "$URL/api/v1/auth/login" -d username=admin -d password=admin123 | jq -r .access_token)
  export TOKEN
}

# ask STATUS CURL_ARGUMENTS...: the answer is in $body (text) and $head (text, no carriage returns).
ask() {
  local expected=$1 status
  shift
  status=$(curl -sS -m 10 -D "$BATS_TEST_TMPDIR/head" -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' "$@")
  head=$(tr -d '\r' <"$BATS_TEST_TMPDIR/head")
  body=$(<"$BATS_TEST_TMPDIR/body")
  [[ $status == "$expected" ]] || {
    printf 'expected %s, got %s for %s\n%s\n%s\n' "$expected" "$status" "$*" "$head" "$body"
    return 1
  }
}

with_token() {
  local expected=$1
  shift
  ask "$expected" -H "Authorization: Bearer $TOKEN" "$@"
}

# holds FILTER: a jq condition on the body.
holds() {
  jq -e "$1" <<<"$body" >/dev/null || {
    printf 'not true: %s\nof: %s\n' "$1" "$body"
    return 1
  }
}

has_field() {
  grep -qiE "^$1: *$2\$" <<<"$head" || {
    printf 'no field %s: %s in:\n%s\n' "$1" "$2" "$head"
    return 1
  }
}

is_problem() {
  has_field Content-Type 'application/problem\+json.*'
  holds '.detail | type == "string" and length > 0'
}

# metric NAME: the sum over its series.
metric() {
  curl -fsS "$ADMIN/metrics" | awk -v name="$1" '$1 ~ "^" name "([{]|$)" { sum += $NF } END { print sum + 0 }'
}

@test "the proxy is alive and ready" {
  ask 200 "$ADMIN/health"
  ask 200 "$ADMIN/ready"
}

@test "the API's health comes through the proxy, its load report does not" {
  ask 200 "$URL/health"
  holds '.status == "healthy" or .status == "degraded"'
  holds '.pool | .capacity >= .size and .total == .size + .overflow and .checked_in <= .total'
  run ! grep -i '^Endpoint-Load-Metrics' <<<"$head"
}

@test "login returns a bearer token" {
  ask 200 "$URL/api/v1/auth/login" -d username=admin -d password=admin123
  holds '(.access_token | length > 20) and .token_type == "bearer" and .expires_in > 0'
  ask 200 "$URL/api/v1/auth/login" --json '{"username": "admin", "password": "admin123"}'
}

@test "a wrong password is refused" {
  ask 401 "$URL/api/v1/auth/login" -d username=admin -d password=wrong
  is_problem
}

@test "a request without a token is refused" {
  ask 401 "$URL/api/v1/search?q=engineering"
  ask 401 "$URL/api/v1/scholarships"
  ask 401 -H 'Authorization: Bearer nonsense' "$URL/api/v1/scholarships"
}

@test "search finds scholarships" {
  with_token 200 "$URL/api/v1/search?q=engineering"
  holds '(.items | length > 0) and .total >= (.items | length)'
  with_token 200 "$URL/api/v1/search?q=enginnering"
  holds '(.items | length > 0) and .corrected == "engineering"'
}

@test "a search has a next page" {
  with_token 200 "$URL/api/v1/search?q=engineering&limit=2"
  holds '(.items | length == 2) and .next_cursor != null'
  local first cursor
  first=$(jq -c '[.items[].id]' <<<"$body")
  cursor=$(jq -r '.next_cursor | @uri' <<<"$body")
  with_token 200 "$URL/api/v1/search?q=engineering&limit=2&cursor=$cursor"
  holds "(.items | length == 2) and ([.items[].id] | any(. as \$id | $first | index(\$id)) | not)"
}

@test "a client cannot make its answers cheaper through the proxy" {
  with_token 200 -H 'Spillway-Pressure: 1.00' "$URL/api/v1/search?q=engineering"
  holds 'has("total") and (has("degraded") | not)'
}

@test "search without a query is a bad request" {
  with_token 400 "$URL/api/v1/search"
  is_problem
}

@test "the list of scholarships has a next page" {
  with_token 200 "$URL/api/v1/scholarships?limit=2"
  holds '(.items | length == 2) and .next_cursor != null'
  local first cursor
  first=$(jq -c '[.items[].id]' <<<"$body")
  cursor=$(jq -r '.next_cursor | @uri' <<<"$body")
  with_token 200 "$URL/api/v1/scholarships?limit=2&cursor=$cursor"
  holds "(.items | length == 2) and ([.items[].id] | any(. as \$id | $first | index(\$id)) | not)"
}

@test "a scholarship is found by its id" {
  with_token 200 "$URL/api/v1/scholarships?limit=1"
  local id
  id=$(jq '.items[0].id' <<<"$body")
  with_token 200 "$URL/api/v1/scholarships/$(jq -r <<<"$id")"
  holds ".id == $id"
  with_token 404 "$URL/api/v1/scholarships/999999999"
}

@test "a client that has a list already gets 304, and every response has the id of its request" {
  with_token 200 "$URL/api/v1/scholarships?limit=2"
  has_field X-Request-ID '.+'
  has_field Cache-Control 'private, no-cache'
  local tag
  tag=$(sed -n 's/^etag: *//Ip' <<<"$head")
  with_token 304 -H "If-None-Match: $tag" "$URL/api/v1/scholarships?limit=2"
  with_token 200 -H 'If-None-Match: "other"' "$URL/api/v1/scholarships?limit=2"
}

@test "the API describes itself, to programs and to people" {
  ask 200 "$URL/api/v1/openapi.json"
  holds '.openapi | startswith("3.")'
  ask 200 "$URL/api/v1/docs"
  has_field Content-Type 'text/html.*'
}

@test "eligibility is decided, and a wrong profile names its field" {
  with_token 200 "$URL/api/v1/scholarships?limit=1"
  local id
  id=$(jq '.items[0].id' <<<"$body")
  with_token 200 "$URL/api/v1/eligibility/check" \
    --json "{\"user_profile\": {\"gpa\": 3.9, \"major\": \"Engineering\"}, \"scholarship_id\": $id}"
  holds '(.eligible | type == "boolean") and (.reasons | type == "array")'
  with_token 422 "$URL/api/v1/eligibility/check" \
    --json "{\"user_profile\": {\"gpa\": \"high\", \"major\": \"Engineering\"}, \"scholarship_id\": $id}"
  [[ $body == *gpa* ]]
}

@test "every metric of the contract is there from the start" {
  local metrics type name
  metrics=$(curl -fsS "$ADMIN/metrics")
  while read -r type name; do
    grep -qx "# TYPE $name $type" <<<"$metrics" || { echo "missing: $type $name" && return 1; }
    grep -qE "^$name(_bucket)?([{ ])" <<<"$metrics" || { echo "no series: $name" && return 1; }
  done <<-'END'
	gauge database_pool_size
	gauge database_pool_overflow
	gauge database_pool_checkedin
	gauge database_pool_capacity
	gauge database_pool_waiters
	counter database_connection_errors
	histogram request_concurrency
	counter load_shedding_rejections
	counter spillway_requests_total
	histogram spillway_request_duration_seconds
	histogram spillway_served_duration_seconds
	counter spillway_upstream_failures_total
	counter spillway_bytes_total
	histogram spillway_event_loop_lag_seconds
	counter process_cpu_seconds_total
	gauge process_resident_memory_bytes
	gauge process_open_fds
	gauge process_max_fds
	gauge process_start_time_seconds
	counter spillway_trace_spans_dropped_total
	histogram spillway_upstream_duration_seconds
	histogram spillway_queue_wait_seconds
	gauge spillway_inflight
	gauge spillway_queue_length
	gauge spillway_concurrency_limit
	gauge spillway_capacity
	counter spillway_shadow_rejections_total
	gauge spillway_upstream_connections
	counter spillway_upstream_connects_total
	counter spillway_upstream_connect_failures_total
	counter spillway_upstream_retries_total
	gauge spillway_breaker_state
	gauge spillway_upstream_healthy
	gauge spillway_maintenance
	gauge spillway_draining
	gauge spillway_config_last_reload_successful
	gauge spillway_config_last_reload_timestamp_seconds
	gauge spillway_config_restart_pending
	gauge spillway_build_info
	gauge spillway_client_connections
	counter spillway_bad_requests_total
	counter spillway_log_lines_dropped_total
	END
}

@test "the metrics count the requests of this stack" {
  [[ $(metric spillway_upstream_healthy) == 1 ]]
  [[ $(metric spillway_capacity) -ge 1 ]]
  [[ $(metric database_pool_capacity) -ge 1 ]]
  local before
  before=$(metric spillway_requests_total)
  ask 200 "$URL/health"
  [[ $(metric spillway_requests_total) -gt $before ]]
}

@test "the effective configuration is shown without secrets" {
  ask 200 "$ADMIN/config"
  [[ $body == *max_concurrent* ]]
  run ! grep -iE '(secret|password|token)"?: *"?[^*" ]' <<<"$body"
}

@test "statistics are JSON, the status page is HTML" {
  ask 200 "$ADMIN/stats"
  holds 'type == "object"'
  ask 200 "$ADMIN/"
  has_field Content-Type 'text/html.*'
}

@test "the admin server refuses POST and unknown pages" {
  ask 405 -X POST "$ADMIN/ready"
  ask 404 "$ADMIN/no-such-page"
}

@test "a refusal has a reason and Retry-After" {
  [[ ${REFUSED_PATH:-} ]] || skip "no REFUSED_PATH"
  local before
  before=$(metric load_shedding_rejections)
  ask 503 "$URL$REFUSED_PATH"
  is_problem
  has_field Retry-After '[0-9]+'
  has_field Cache-Control no-store
  has_field Proxy-Status 'spillway; *error=.*'
  holds '.status == 503 and .reason == "capacity" and .detail == "Service at capacity, please retry"'
  holds '(.type | type == "string") and (.title | length > 0) and (.request_id | length > 0)'
  [[ $(metric load_shedding_rejections) -gt $before ]]
}

@test "a refused connection stays usable" {
  [[ ${REFUSED_PATH:-} ]] || skip "no REFUSED_PATH"
  run -0 curl -sS -m 10 -o /dev/null -w '%{http_code} %{num_connects}\n' "$URL$REFUSED_PATH" -o /dev/null "$URL/health"
  [[ $output == $'503 1\n200 0' ]]
}

@test "a request without Host is refused and the connection closed" {
  local address=${URL#*://} answer
  address=${address%%/*}
  exec 4<>"/dev/tcp/${address%:*}/${address##*:}"
  printf 'GET / HTTP/1.1\r\n\r\n' >&4
  answer=$(timeout 5 cat <&4) # ends because the proxy closes
  exec 4>&-
  [[ $answer == "HTTP/1.1 400 "* ]]
}

@test "a target beyond the limit is 414" {
  ask 414 "$URL/$(printf 'x%.0s' {1..9000})"
}
