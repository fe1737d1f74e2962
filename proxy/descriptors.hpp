#pragma once

namespace spillway {

/// Open descriptors: what the process may have, and how they are shared out.
struct Descriptors {
  int limit = 0;  ///< RLIMIT_NOFILE
  int used = 0;   ///< taken by what is always open: listeners, event loops, standard streams
};

/// How many connections of each kind there may be at a time.
struct Connections {
  int clients = 0;
  int upstream = 0;  ///< to the API
  int admin = 0;
  bool operator==(const Connections&) const = default;
};

/// `wanted`, as far as there are descriptors for them. The admin listener and the API keep their part, so that clients,
/// however many come, cannot take theirs. Clients get no fewer than the API: each request in flight needs one of both.
/// `workers` may each hold one more for a moment. At least one of each kind; `clients` 0: there is room for nothing.
Connections fit(const Descriptors& have, const Connections& wanted, int workers);

}  // namespace spillway
