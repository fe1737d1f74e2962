#pragma once

#include <string_view>
#include <vector>

#include "proxy/net/buffer.hpp"
#include "proxy/net/gather.hpp"

namespace net {

/// Output that a full socket has not taken yet: bytes in the order in which they go out, in blocks of a pool.
/// Holds no memory while it is empty. One loop's.
class Backlog {
 public:
  explicit Backlog(BlockPool& pool) : pool_(&pool) {}
  ~Backlog() { clear(); }
  Backlog(const Backlog&) = delete;
  Backlog& operator=(const Backlog&) = delete;

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  /// Bytes of the blocks it holds, and of those it would hold with `more` bytes behind the others.
  std::size_t memory() const { return (blocks_.size() - first_) * kBlockSize; }
  std::size_t memory_with(std::size_t more) const;

  void append(std::string_view bytes);
  /// What goes out next; good until the backlog changes.
  Gather front() const;
  void consume(std::size_t size);
  void clear();

 private:
  BlockPool* pool_;
  std::vector<BlockPool::Block> blocks_;
  std::size_t first_ = 0;  ///< blocks before this one have gone out
  std::size_t begin_ = 0;  ///< of the bytes in the first block
  std::size_t size_ = 0;
};

}  // namespace net
