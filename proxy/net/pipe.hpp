#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "proxy/net/buffer.hpp"
#include "proxy/net/io.hpp"
#include "proxy/net/memory_budget.hpp"
#include "proxy/net/transport.hpp"

namespace net {

/// Carries bytes from one plain socket to another inside the kernel, which copies none of them (splice). One loop's.
class Pipe {
 public:
  /// Bytes that it holds at most: as a large block.
  static constexpr std::size_t kSize = kLargeBlock;
  /// Of a body of which `left` bytes are to come, how many should pass through a pipe: all but its end, which is read,
  /// so that it is seen. 0: a pipe would not pay.
  static constexpr std::uint64_t part_of(std::uint64_t left) { return left > kEnd ? left - kEnd : 0; }

  /// Null: its bytes would exceed `limit` of the budget, or the process has no descriptors left.
  static std::unique_ptr<Pipe> open(MemoryBudget& budget, std::size_t limit);
  ~Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  /// Bytes that have been put in and not been taken out.
  std::size_t held() const { return held_; }
  bool empty() const { return held_ == 0; }

  /// Puts in what has come, at most `most` bytes, without waiting. 0: the peer has said that no more follow, or there
  /// is an `error`; `would_block` if nothing has come. Only while the pipe is empty: a full one looks as if nothing
  /// had.
  std::size_t fill(Transport& from, std::uint64_t most, error_code& error);
  /// Sends without waiting. True when nothing is left; `error` stays empty when the transport is just full.
  bool write_now(Transport& to, error_code& error);
  /// Takes bytes out into memory: how many; all of them, if there is room.
  std::size_t read(char* to, std::size_t most);

 private:
  static constexpr std::uint64_t kEnd = 2 * kSize;

  explicit Pipe(MemoryBudget& budget) : memory_(budget) {}

  MemoryShare memory_;
  int out_ = -1, in_ = -1;
  std::size_t held_ = 0;
};

}  // namespace net
