#!/usr/bin/env bash
# testssl.sh against a listener with an ECDSA and an RSA certificate: no finding of medium severity or above. About two
# minutes. The report is build/reports/testssl.json.
set -euo pipefail

cd "$(dirname "$0")/../.."
readonly kStartSeconds=10
readonly kDays=90 # testssl.sh finds fault with certificates that end within 60 days
report=$PWD/build/reports/testssl.json

fail() {
  echo "tls_scan: $*" >&2
  exit 1
}

command -v testssl >/dev/null || fail "testssl.sh is missing: run it by make test-deploy"
dir=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$dir"' EXIT

# shellcheck source=tests/find_port.bash
. tests/find_port.bash
find_port && tls_port=$port
find_port && admin_port=$port
find_port && api_port=$port

# Of an authority, with what testssl.sh wants of a certificate that is no part of the test.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days "$kDays" -subj '/CN=An authority' \
  -keyout "$dir/ca.key" -out "$dir/ca.pem" 2>/dev/null
cat >"$dir/extensions" <<'END'
subjectAltName = DNS:localhost
authorityInfoAccess = OCSP;URI:http://ocsp.invalid/
extendedKeyUsage = serverAuth
basicConstraints = CA:false
END
make_certificate() { # NAME KEY_OPTION...
  openssl req "${@:2}" -nodes -subj /CN=localhost -keyout "$dir/$1.key" -out "$dir/$1.csr" 2>/dev/null
  openssl x509 -req -in "$dir/$1.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial -days "$kDays" \
    -extfile "$dir/extensions" -out "$dir/$1.pem" 2>/dev/null
}
make_certificate ecdsa -newkey ec -pkeyopt ec_paramgen_curve:P-256
make_certificate rsa -newkey rsa:2048

cat >"$dir/proxy.yaml" <<END
listen:
  - address: 127.0.0.1:$tls_port
    http2: true
    tls:
      certificate: [$dir/ecdsa.pem, $dir/rsa.pem]
      key: [$dir/ecdsa.key, $dir/rsa.key]
admin: {listen: "127.0.0.1:$admin_port"}
upstream: {address: "127.0.0.1:$api_port", health: {mode: tcp}}
END
mkdir -p "$dir/api" "$(dirname "$report")"
echo hello >"$dir/api/index.html"
python3 -m http.server --bind 127.0.0.1 --directory "$dir/api" "$api_port" >"$dir/api.log" 2>&1 &
pids+=($!)
build/release/proxy/spillway --config "$dir/proxy.yaml" >"$dir/log" 2>&1 &
pids+=($!)
for ((i = 0; i < kStartSeconds * 10; i++)); do
  ! curl -sf --cacert "$dir/ca.pem" -o /dev/null "https://localhost:$tls_port/" || break
  sleep 0.1
done
((i < kStartSeconds * 10)) || fail "no answer over TLS: $(tail -n 1 "$dir/log")"

# Its exit status is the number of what it found, which is mostly harmless.
rm -f "$report"
testssl --quiet --warnings off --color 0 --nodns none --openssl "$(command -v openssl)" --add-ca "$dir/ca.pem" \
  --jsonfile "$report" "localhost:$tls_port" >"$dir/testssl.log" 2>&1 || true
jq -e 'any(.id == "cipherlist_NULL") and any(.id == "LUCKY13")' "$report" >/dev/null ||
  fail "testssl.sh did not end: $(tail -n 3 "$dir/testssl.log")"
# What only the API can say in its answers is left out.
findings=$(jq -r '.[] | select(.id != "security_headers") | select(.severity | IN("MEDIUM", "HIGH", "CRITICAL", "FATAL")) | "\(.severity) \(.id): \(.finding)"' "$report")
[[ ! $findings ]] || fail "testssl.sh found"$'\n'"$findings"
echo "tls_scan: $(jq length "$report") lines of testssl.sh, none of medium severity or above"
