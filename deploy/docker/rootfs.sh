#!/usr/bin/env bash
# Makes the root folder of an image: a program, stripped, and the libraries that ldd names. No shell, no package manager.
# Every Debian package that has part in it leaves its entry in var/lib/dpkg/status.d, where scanners look, its copyright, and
# a line in usr/share/sbom.
#
#   rootfs.sh PROGRAM FOLDER [PACKAGE...]    packages whose code is compiled into the program
set -euo pipefail

program=$1 root=$2
packages=("${@:3}")
name=$(basename "$program")
readonly kUser=10001 # as in compose.yaml and kubernetes/base

package_of() { # dpkg knows some files below /usr only, some without it
  dpkg-query -S "$1" 2>/dev/null || dpkg-query -S "/usr$1" 2>/dev/null || dpkg-query -S "${1#/usr}"
}

install -d "$root/usr/bin" "$root/usr/share/sbom" "$root/var/lib/dpkg/status.d"
strip -o "$root/usr/bin/$name" "$program"
chmod 0755 "$root/usr/bin/$name"

mapfile -t libraries < <(ldd "$program" | grep -o '/[^ ]*')
for library in "${libraries[@]}"; do
  install -D -m 0755 "$(realpath "$library")" "$root$library"
  packages+=("$(package_of "$library" | cut -d : -f 1 | head -n 1)")
done
# The authorities that the system trusts, and where OpenSSL looks for them.
install -D -m 0644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
install -d "$root/usr/lib/ssl"
ln -s /etc/ssl/certs/ca-certificates.crt "$root/usr/lib/ssl/cert.pem"
packages+=(ca-certificates)

mapfile -t packages < <(printf '%s\n' "${packages[@]}" | sort -u)
for package in "${packages[@]}"; do
  dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
  install -D -m 0644 "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright" 2>/dev/null ||
    echo "rootfs: $package has no copyright here" >&2
done
# shellcheck disable=SC2016 # dpkg-query expands it
dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\t${source:Package}\n' "${packages[@]}" >"$root/usr/share/sbom/$name.tsv"

install -d "$root/etc"
echo "spillway:x:$kUser:$kUser::/:/usr/sbin/nologin" >"$root/etc/passwd"
echo "spillway:x:$kUser:" >"$root/etc/group"
echo "hosts: files dns" >"$root/etc/nsswitch.conf"
