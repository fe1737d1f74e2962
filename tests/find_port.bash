# shellcheck shell=bash
# Sourced by scripts that start servers.

used_ports=' '
# Sets `port` to a free one below the kernel's range of ephemeral ports, never the same one twice.
find_port() {
  while port=$((RANDOM % 10000 + 20000)); do
    [[ $used_ports != *" $port "* ]] && ! grep -qi ":$(printf %04X "$port") " /proc/net/tcp && break
  done
  used_ports+="$port "
}
