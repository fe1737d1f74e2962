#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "proxy/http2/session.hpp"
#include "proxy/net/backlog.hpp"
#include "proxy/net/hooked_list.hpp"
#include "proxy/net/memory_budget.hpp"
#include "proxy/net/stream.hpp"
#include "proxy/net/timer_wheel.hpp"
#include "proxy/net/turn.hpp"
#include "proxy/relay/http2_stream.hpp"
#include "proxy/relay/stream_memory.hpp"

namespace spillway::relay {

class Connection;
class Worker;

/// HTTP/2 on a client's connection. `run` reads and feeds the session; a `turn` resumes the exchanges of streams that
/// something has happened to, and then writes what all of them have given to the session: one write for all. A little
/// output waits for the next report of the loop if further streams are open. Whatever happens asks for a turn. One
/// loop's.
class Http2Connection final : public StreamMemoryHolder,
                              private http2::SessionEvents,
                              private net::Stream::Observer,
                              private net::Deadline {
 public:
  /// The arguments are of the connection it is a part of. The stream's input begins with the preface.
  Http2Connection(Worker& worker, Connection& connection, net::Stream& stream, std::string_view peer,
                  std::string_view balancer);
  ~Http2Connection();
  Http2Connection(const Http2Connection&) = delete;

  /// Serves it until it has ended, and all its requests.
  net::Task<> run();

  // For the table, by way of the connection.

  /// No more streams are wanted: says so, serves those that are on their way, and ends.
  void drain();
  void stop_exchanges();
  /// Closes a connection without streams.
  void close_idle();
  /// Ends it: the memory of its unfinished head is needed.
  void evict();
  /// Cuts it, whatever it does.
  void abort();

  // For its streams.

  http2::Session& session() { return session_; }
  /// Its head is complete: it is started in the next turn.
  void begins(Http2Stream& stream);
  void start(Http2Stream& stream);
  /// Its exchange is to be resumed in the next turn.
  void ready(Http2Stream& stream);
  /// Its exchange has ended. False: the stream has been destroyed.
  bool ended(Http2Stream& stream);
  /// The session has closed it, and no exchange uses it: it is kept for another request, or destroyed, which is false.
  bool forget(Http2Stream& stream);
  /// Makes frames of what streams have to send, as far as there is room.
  void produce();
  void on_output(std::string_view bytes) override { output_.append(bytes); }
  /// So many bytes of bodies have come. They are held until `release`.
  void hold(std::size_t size);
  void release(std::size_t size);
  /// What is held is within `limits.buffered`, maybe since others have given memory back.
  bool has_memory();
  /// Output of its streams that is kept beyond `limits.buffered`. False: that would be too much.
  bool keep_unpaid(std::size_t size);
  void give_unpaid_back(std::size_t size) { unpaid_ -= size; }
  /// So many more of its streams last.
  void lasting(int more) { lasting_ += more; }
  void give_up_waiting() override;

 private:
  /// Where it stands in its worker's table.
  enum class Place : std::uint8_t { busy, head, streams, quiet };
  using Streams = net::HookedList<Http2Stream, Http2StreamHook>;
  using Ready = net::HookedList<Http2Stream, Http2ReadyHook>;

  http2::StreamEvents* on_begin(std::int32_t id) override;
  bool full() const override;
  void on_pong() override;
  void on_unawaited_read(net::Stream&) override {}
  void on_writable(net::Stream&) override;
  void on_deadline() override;

  void ask_for_turn();
  void turn();
  static void write_late(void* self);
  void resume_ready();
  void make_frames();
  void write();
  bool puts_off() const;
  void count_output(std::size_t memory);
  void end_turn();
  void lose();
  void lose_streams();
  void report_abuse();
  net::Task<> close();
  net::Task<> wait_for_bytes();
  void wake();
  bool over() const;
  bool quiet() const { return streams_.empty() && !session_.in_head(); }
  void find_place();
  void set_deadline();
  Time deadline() const;

  Worker& worker_;
  Connection& connection_;
  net::Stream& stream_;
  std::string_view peer_;
  std::string_view balancer_;
  http2::Session session_;
  net::Backlog output_;
  net::MemoryShare input_memory_;  ///< of bodies that are held
  Streams streams_;                ///< all
  Ready ready_;                    ///< those that something has happened to, new ones included
  std::vector<std::unique_ptr<Http2Stream>> spare_;
  net::Turn::Late late_write_;
  net::Parking resting_;  ///< where `run` waits for bytes without a buffer
  net::Parking ending_;   ///< and where it waits for the end
  Time began_{}, head_began_{}, quiet_since_{}, told_to_end_{};
  Time blocked_since_{};  ///< the socket has taken none of the output
  Time armed_for_{};
  std::uint64_t head_number_ = 0;
  std::size_t held_ = 0;  ///< bytes of bodies
  std::size_t owed_ = 0;  ///< part of them that the connection's window is still short of
  std::size_t unpaid_ = 0;
  std::size_t output_counted_ = 0;  ///< bytes of memory in `limits.http2.memory`
  int carried_ = 0;                 ///< exchanges that run, those of streams included that were reset
  int lasting_ = 0;
  Place place_ = Place::busy;
  bool turning_ = false;  ///< a turn has been asked for
  bool lost_ = false;     ///< nothing more can be sent or received
  bool closing_ = false;
  bool rested_ = false;     ///< quiet for long enough to give the buffer back
  bool timed_out_ = false;  ///< while closing
  bool draining_ = false;
  bool ended_ = false;  ///< the last stream has been announced
  bool abuse_told_ = false;
};

}  // namespace spillway::relay
