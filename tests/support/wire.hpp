#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace support {

/// Why a read got nothing: the other side closed or reset the connection, or sent nothing for `kPatience`.
enum class End { none, closed, reset, silent };

/// One side of a connection: a blocking socket that waits `kPatience` at most, and the bytes that were read ahead.
class Wire {
 public:
  Wire() = default;
  explicit Wire(int descriptor) : descriptor_(descriptor) {}
  Wire(Wire&& other) noexcept { *this = std::move(other); }
  Wire& operator=(Wire&& other) noexcept;
  ~Wire() { close(); }

  /// Connects to 127.0.0.1. Without a socket, `descriptor() < 0`, if nobody listens there.
  static Wire tcp(int port);
  /// The same to ::1.
  static Wire tcp6(int port);
  static Wire unix_socket(const std::string& path);

  int descriptor() const { return descriptor_; }
  /// Why the last read got less than it asked for.
  End end() const { return end_; }
  /// All bytes received so far.
  std::size_t received() const { return received_; }

  /// False: the connection has ended, or the other side read nothing for `kPatience`.
  bool send(std::string_view bytes);
  /// As much as the socket takes without waiting.
  std::size_t send_some(std::string_view bytes);
  /// Reads a head with its empty line. False: it did not come whole.
  bool read_head(std::string& head);
  bool read_exactly(std::size_t size, std::string& out);
  bool read_line(std::string& line);
  /// Reads a chunked body to its end. `out` gets the content of the chunks.
  bool read_chunked(std::string& out);
  void read_to_end(std::string& out);
  /// Reads `size` bytes and forgets them.
  bool skip(std::size_t size);
  /// Waits for the next bytes. False: none came, and `end` says why.
  bool read_more();
  /// No unread byte has come, and the other side has not closed.
  bool at_rest() const;
  const std::string& unread() const { return buffer_; }

  void finish_sending();
  /// Ends every wait on this socket. Any thread may call it.
  void shut_down();
  void close();
  void reset();

 private:
  int descriptor_ = -1;
  std::string buffer_;
  std::size_t received_ = 0;
  End end_ = End::none;
};

/// The value of the first field of this name in a head; "" if there is none.
std::string field_of(const std::string& head, std::string_view name);
/// How many fields of this name a head has.
int count_fields(const std::string& head, std::string_view name);
/// Reads the body that the head announces. `until_close`: a body without framing ends with the connection; otherwise it
/// is empty. False: the body did not come whole.
bool read_body(Wire& wire, const std::string& head, bool until_close, std::string& body);

}  // namespace support
