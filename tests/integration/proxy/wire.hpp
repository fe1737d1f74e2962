#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "tests/support/eventually.hpp"
#include "tests/support/folder.hpp"

namespace spillway::test {

using support::eventually;
using support::Folder;
using support::kPatience;

/// How the other side stopped sending.
enum class End { none, closed, reset, silent };

/// One side of a connection: a blocking socket that waits `kPatience` at most, and what was read ahead.
class Wire {
 public:
  Wire() = default;
  explicit Wire(int descriptor) : descriptor_(descriptor) {}
  Wire(Wire&& other) noexcept { *this = std::move(other); }
  Wire& operator=(Wire&& other) noexcept;
  ~Wire() { close(); }

  static Wire tcp(int port);

  int descriptor() const { return descriptor_; }
  /// Why the last read that fell short did so.
  End end() const { return end_; }
  /// Everything that ever came in.
  std::size_t received() const { return received_; }

  /// False: the other side takes no more.
  bool send(std::string_view bytes);
  /// As much as the socket takes without waiting.
  std::size_t send_some(std::string_view bytes);
  /// A head with its empty line; false when it does not come whole.
  bool read_head(std::string& head);
  bool read_exactly(std::size_t size, std::string& out);
  bool read_line(std::string& line);
  /// Chunks up to the last and its empty line, which `out` gets without their framing.
  bool read_chunked(std::string& out);
  void read_to_end(std::string& out);
  /// Reads `size` bytes and forgets them.
  bool skip(std::size_t size);
  /// Waits for the next bytes; false: there are none, see `end`.
  bool read_more();
  /// Nothing has come that has not been read, not even an end.
  bool at_rest() const;
  const std::string& unread() const { return buffer_; }

  void finish_sending();
  /// Makes every wait on this socket end; from any thread.
  void shut_down();
  void close();
  void reset();

 private:
  int descriptor_ = -1;
  std::string buffer_;
  std::size_t received_ = 0;
  End end_ = End::none;
};

/// Value of the first field of this name in a head; "" without one.
std::string field_of(const std::string& head, std::string_view name);
/// How many fields of this name a head has.
int count_fields(const std::string& head, std::string_view name);
/// The head's body, framed as the head says; `until_close`: without framing it goes on to the end of the connection.
bool read_body(Wire& wire, const std::string& head, bool until_close, std::string& body);

}  // namespace spillway::test
