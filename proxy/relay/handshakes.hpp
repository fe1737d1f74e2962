#pragma once

#include <cstddef>
#include <string>

#include <boost/intrusive/list.hpp>

#include "proxy/net/timer_wheel.hpp"
#include "proxy/relay/idle_connection.hpp"
#include "proxy/telemetry/labels.hpp"
#include "proxy/tls/handshake_gate.hpp"

namespace spillway::relay {

class ConnectionTable;
class Worker;

/// The TLS handshakes of one worker: from accept until the client's connection goes on as an idle one, or ends.
/// `limits.handshakes` are under way at most. One step of one handshake is computed in a turn of the loop, which takes
/// a fraction of a millisecond: however many clients come, requests of the others wait no longer than that for each
/// turn. One loop's.
class Handshakes {
 public:
  Handshakes(Worker& worker, ConnectionTable& table);
  Handshakes(const Handshakes&) = delete;
  ~Handshakes();

  void begin(Client client);
  /// All that have not ended, and those that have not even begun.
  std::size_t count() const { return count_; }
  /// Frees a connection: closes the oldest whose client has sent nothing; while all places are taken also one that
  /// has, since clients that are connected must not pay for a flood. False: there is none.
  bool close_one();
  /// The process ends: what takes longer than this is closed.
  void drain(Duration patience);
  void abort();
  void configure();

 private:
  class Handshake;
  using Hook = boost::intrusive::list_base_hook<boost::intrusive::tag<Handshakes>>;
  using List =
      boost::intrusive::list<Handshake, boost::intrusive::base_hook<Hook>, boost::intrusive::constant_time_size<false>>;

  struct LookAgain final : net::Deadline {
    explicit LookAgain(Handshakes& h) : handshakes(h) {}
    void on_deadline() override { handshakes.admit(); }
    Handshakes& handshakes;
  };

  void admit();
  void begin_turns();
  void turn();
  void over(Handshake& handshake, telemetry::Handshake result, const std::string& error);
  void note(const Client& client, telemetry::Handshake result, const std::string& error);

  Worker& worker_;
  ConnectionTable& table_;
  tls::HandshakeGate gate_;
  LookAgain look_again_{*this};  ///< whether a client has been silent for too long
  List unheard_;                 ///< their clients have sent nothing; oldest first
  List ready_;                   ///< to be computed, in this order
  List others_;
  std::size_t count_ = 0;
  bool turning_ = false;
};

}  // namespace spillway::relay
