#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/types.h>

#include "proxy/tls/descriptor.hpp"

namespace tls {

/// What became of a step.
enum class Step : std::uint8_t {
  done,
  wants_read,   ///< once the descriptor is readable; nothing is lost meanwhile
  wants_write,  ///< once it is writable
  closed,       ///< the peer has said that no more bytes follow (close_notify)
  truncated,    ///< the connection ended without that: what came may have been cut
  failed,       ///< `error` says why
};

/// A certificate that a client has shown and that was verified.
struct PeerCertificate {
  std::string subject;      ///< RFC 2253
  std::string fingerprint;  ///< SHA-256, 64 hexadecimal digits
};

/// TLS on one connected, non-blocking descriptor. No step waits. One thread's.
class Session {
 public:
  /// A record holds so many bytes at most.
  static constexpr std::size_t kRecord = 16 * 1024;

  /// Takes `ssl` over. `kept` is what its callbacks use.
  explicit Session(SSL* ssl, std::shared_ptr<const void> kept);
  ~Session();
  Session(const Session&) = delete;

  /// The descriptor must outlive the session, which never closes it. Without memory the first step fails.
  void attach(int descriptor);
  /// The descriptor is closed: its number may soon be another connection's. All further steps fail.
  void detach() { detached_ = true, descriptor_.detach(); }

  /// One step of the handshake.
  Step handshake();
  bool established() const { return established_; }

  /// Reads up to `size` bytes. `done`: at least one.
  Step read(char* to, std::size_t size, std::size_t& n);
  /// Whether a read now would give bytes or an end; `wants_read` if not.
  Step peek();
  /// Bytes have come from the descriptor that no read has taken. They may be less than a record.
  bool has_buffered() const;
  /// A read now may find something: not all that had come has been taken, or returned.
  bool may_have_more() const { return has_buffered() || !descriptor_.drained(); }
  /// Writes the front of `bytes`, at most a record; `n` of them have gone to the descriptor. After `wants_write` a part
  /// of the record may have: the next call must begin with the same bytes.
  Step write(std::string_view bytes, std::size_t& n);
  /// Tells the peer that no more bytes follow. Reading goes on.
  Step close();

  /// The protocol of the application that both sides have agreed on (ALPN); empty if they have not.
  std::string_view protocol() const;
  /// `1.2` or `1.3`.
  std::string_view version() const;
  /// The handshake was a short one, from a ticket.
  bool resumed() const;
  /// Of a client; null if it has shown none.
  const PeerCertificate* peer() const { return peer_.get(); }
  /// Bytes given to the descriptor so far.
  std::uint64_t sent() const { return descriptor_.sent(); }

  /// Why the last step failed, in words.
  const std::string& error() const { return error_; }
  /// The same if the peer or a check of it is to blame, such as `certificate refused: …`; empty if the connection is.
  std::string_view fault() const { return system_error_ == 0 ? std::string_view(error_) : std::string_view(); }
  /// The system's error, if it was one; else 0.
  int system_error() const { return system_error_; }
  /// The peer has begun with a request of plain HTTP.
  bool got_plain_http() const { return plain_http_; }

 private:
  /// Messages of the handshake that a peer may send between two pieces of data once it is over: tickets, new keys.
  static constexpr int kMessagesMax = 16;

  bool begin_step();
  Step result(int returned);
  void note_peer();
  static void count_message(const SSL* ssl, int where, int value);

  std::shared_ptr<const void> kept_;
  SSL* ssl_;
  Descriptor descriptor_;
  std::unique_ptr<PeerCertificate> peer_;
  std::string error_;
  std::size_t begun_ = 0;  ///< bytes of a record that has gone out in part
  int system_error_ = 0;
  int messages_ = 0;
  bool established_ = false;
  bool broken_ = false;  ///< OpenSSL must not be asked to write any more
  bool closing_ = false;
  bool close_sent_ = false;
  bool detached_ = false;
  bool plain_http_ = false;
};

}  // namespace tls
