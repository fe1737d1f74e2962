#!/usr/bin/env bats
# The root folder of the images, made of the built programs: it is complete, and holds no more than it must.

setup_file() {
  bats_require_minimum_version 1.5.0
  root=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
  bin=${SPILLWAY_BIN_DIR:-$root/build/release}
  export root bin
  "$root/deploy/docker/rootfs.sh" "$bin/proxy/spillway" "$BATS_FILE_TMPDIR/spillway" node-llhttp libboost1.81-dev
  "$root/deploy/docker/rootfs.sh" "$bin/api/scholarship-api" "$BATS_FILE_TMPDIR/scholarship-api"
}

each() { # each COMMAND: with name and folder of each image
  local name
  for name in spillway scholarship-api; do "$@" "$name" "$BATS_FILE_TMPDIR/$name"; done
}

@test "every library is inside" {
  inside() {
    run -0 "$2/lib64/ld-linux-x86-64.so.2" --library-path "$2/lib/x86_64-linux-gnu:$2/usr/lib/x86_64-linux-gnu" --list "$2/usr/bin/$1"
    ! grep -E 'not found|=> /(lib|usr)' <<<"$output"
  }
  each inside
}

@test "the programs run with nothing else around them" {
  ((EUID == 0)) || skip "chroot needs root"
  run -0 chroot "$BATS_FILE_TMPDIR/spillway" /usr/bin/spillway --upstream localhost:3000 --check-config
  run -0 chroot "$BATS_FILE_TMPDIR/scholarship-api" /usr/bin/scholarship-api --version
}

@test "the authorities of the system are where OpenSSL looks for them" {
  folder=$(openssl version -d | cut -d '"' -f 2)
  trusted() {
    [[ $(readlink "$2$folder/cert.pem") == /etc/ssl/certs/ca-certificates.crt ]]
    grep -q 'BEGIN CERTIFICATE' "$2/etc/ssl/certs/ca-certificates.crt"
  }
  each trusted
}

@test "no shell, no other program, and stripped" {
  lean() {
    run -0 ls "$2/usr/bin"
    [[ $output == "$1" ]]
    [[ ! -e $2/bin && ! -e $2/sbin && ! -e $2/usr/sbin ]]
    run -0 readelf --sections "$2/usr/bin/$1"
    [[ $output != *.symtab* ]]
    (($(stat -c %s "$2/usr/bin/$1") < 6 * 1024 * 1024))
    (($(du -sk "$2" | cut -f 1) < 48 * 1024))
  }
  each lean
}

@test "every library's package is listed, with its version and its copyright" {
  listed() {
    local library
    run -0 cut -f 1 "$2/usr/share/sbom/$1.tsv"
    local packages=$output
    while read -r library; do
      run -0 bash -c "dpkg-query -S '$library' '/usr$library' 2>/dev/null | cut -d : -f 1 | head -n 1"
      grep -qx "$output" <<<"$packages" || { echo "$library of $output is not listed" && return 1; }
    done < <(cd "$2" && find lib lib64 -type f -printf '/%p\n')
    while read -r library; do
      grep -q '^Version: ' "$2/var/lib/dpkg/status.d/$library"
      [[ -s $2/usr/share/doc/$library/copyright ]] || { echo "no copyright of $library" && return 1; }
    done <<<"$packages"
  }
  each listed
}

@test "the images carry the version of the project, and run as the user of the manifests" {
  version=$(sed -n 's/^project(.* VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt")
  [[ $version ]]
  for file in "$root"/deploy/docker/*.Dockerfile; do
    grep -qx "ARG VERSION=$version" "$file"
    grep -q 'org.opencontainers.image.version=' "$file"
    grep -qx 'USER 10001:10001' "$file"
    grep -qx 'FROM scratch' "$file"
  done
}
