#pragma once

#include <cstdint>
#include <vector>

#include "proxy/admission/controller.hpp"
#include "tests/bench/fleet/balancer.hpp"

/// A discrete-event simulation of many sidecars: the real admission code, one controller for each replica of an API,
/// behind one load balancer and in front of one database. Deterministic for a seed, without clock and threads.
namespace fleet {

namespace admission = spillway::admission;

/// What all replicas share. A query takes `query` seconds while no more than `cores` are in progress. Beyond that all
/// share the cores, and lose `thrash` of their speed for each doubling.
struct Database {
  int cores = 0;         ///< 0: the replicas need no database
  double query = 0.050;  ///< seconds
  double thrash = 0.1;
  int connections = 0;  ///< a pooler in front lets so many in and queues the others; 0: there is none

  double capacity() const { return cores / query; }  ///< queries per second
};

struct Shape {
  int replicas = 1;
  Balancing balancing = Balancing::least_request;
  int slots = 8;           ///< requests that a replica works on at a time; it queues the others
  double service = 0.100;  ///< seconds of a request without a database, exponential
  double offered = 0;      ///< requests per second, of all clients together
  double patience = 1;     ///< seconds until a client gives up: a later answer is none
  int calls = 1;           ///< of a task, each after the answer to the one before; one refusal ends the task
  double pause = 0.020;    ///< seconds between an answer and the next call
  int clients = 0;         ///< with a place among the cohorts; 0: no cohorts
  bool one_seed = true;    ///< all replicas order the clients alike
  double rotate = 30;      ///< seconds in which every client has every place once
  Database database;
  admission::Policy policy;  ///< of each replica
  /// From `lost_from` to `lost_until` this part of the replicas is gone, with what it worked on.
  double lost = 0, lost_from = 0, lost_until = 0;
};

struct Outcome {
  std::int64_t offered = 0, answered = 0, late = 0, refused = 0, broken = 0;  ///< of calls
  std::int64_t stranded = 0;  ///< refusals while slots for a tenth of the fleet's requests were free elsewhere
  std::int64_t tasks = 0, whole = 0;
  std::vector<double> latencies;  ///< of the answered, seconds
  std::vector<std::int64_t> answered_by_replica, answered_of_client;
};

/// Runs for `warm_up` seconds, then for `seconds` that count.
Outcome run(const Shape& shape, double warm_up, double seconds, std::uint64_t seed);

}  // namespace fleet
