# shellcheck shell=bash
# Sourced by whatever starts servers of its own.

used_ports=' '
# Sets `port` to one where nobody listens, below the range that the kernel hands out; never the same one twice.
find_port() {
  while port=$((RANDOM % 10000 + 20000)); do
    [[ $used_ports != *" $port "* ]] && ! grep -qi ":$(printf %04X "$port") " /proc/net/tcp && break
  done
  used_ports+="$port "
}
