#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace net {

/// Bytes of a standard block: one read of a relayed body, and a common head with room to spare.
inline constexpr std::size_t kBlockSize = 16 * 1024;
/// Bytes of a block for a body that flows, see `FlowBlock`: a sixteenth of the system calls. More would leave the
/// cache of a core.
inline constexpr std::size_t kLargeBlock = 256 * 1024;

/// Recycles blocks of these two sizes, latest first (its cache lines are warm). One per worker; not thread-safe.
class BlockPool {
 public:
  using Block = std::unique_ptr<char[]>;

  Block take(std::size_t size = kBlockSize) {
    std::vector<Block>& free = size == kBlockSize ? free_ : large_;
    if (free.empty()) return std::make_unique_for_overwrite<char[]>(size);
    Block block = std::move(free.back());
    free.pop_back();
    return block;
  }
  void give(Block block, std::size_t size = kBlockSize) {
    std::vector<Block>& free = size == kBlockSize ? free_ : large_;
    if (free.size() < (size == kBlockSize ? kKept : kLargeKept)) free.push_back(std::move(block));
  }
  /// Keeps none.
  void clear() {
    free_.clear();
    large_.clear();
  }

 private:
  static constexpr std::size_t kKept = 64;      ///< 1 MiB; more goes back to the system
  static constexpr std::size_t kLargeKept = 4;  ///< likewise
  std::vector<Block> free_, large_;
};

/// A contiguous input buffer: unread bytes, and free space behind them. Holds no memory until `reserve`.
class Buffer {
 public:
  explicit Buffer(BlockPool& pool) : pool_(&pool) {}
  ~Buffer() { release(); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  char* data() { return block_.get() + begin_; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  std::string_view view() const { return {block_.get() + begin_, size()}; }

  char* space() { return block_.get() + end_; }
  std::size_t space_size() const { return capacity_ - end_; }
  bool has_block() const { return capacity_ != 0; }
  std::size_t capacity() const { return capacity_; }
  /// Bytes that have come since the buffer was empty and got room.
  std::size_t filled() const { return end_; }

  void produced(std::size_t n) { end_ += n; }
  void consume(std::size_t n) { begin_ += n; }
  /// Forgets the last bytes.
  void drop_last(std::size_t n) { end_ -= n; }

  /// Makes room for at least `space` more bytes; moves the unread bytes, so pointers into them end.
  void reserve(std::size_t space) {
    if (empty()) begin_ = end_ = 0;
    if (space_size() >= space) return;
    if (capacity_ == 0 && space <= kBlockSize) {
      block_ = pool_->take();
      capacity_ = kBlockSize;
      return;
    }
    const std::size_t unread = size();
    if (capacity_ - unread >= space) {
      std::memmove(block_.get(), data(), unread);
    } else {
      std::size_t larger = capacity_ ? capacity_ : kBlockSize;
      while (larger - unread < space) larger *= 2;
      return move_to(larger);
    }
    begin_ = 0;
    end_ = unread;
  }

  /// Moves the unread bytes into the smallest block that has room for them and `space` more: for bytes that may stay
  /// for long. Pointers into them end.
  void fit(std::size_t space) {
    std::size_t fitting = kSmallestBlock;
    while (fitting < size() + space) fitting *= 2;
    if (fitting != capacity_) return move_to(fitting);
    reserve(space);
  }

  /// Takes a large block in place of the one there is. Unread bytes are lost.
  void enlarge() {
    release();
    block_ = pool_->take(kLargeBlock);
    capacity_ = kLargeBlock;
  }

  /// Gives the memory back. Unread bytes are lost.
  void release() {
    if (capacity_ == kBlockSize || capacity_ == kLargeBlock) pool_->give(std::move(block_), capacity_);
    block_.reset();
    capacity_ = begin_ = end_ = 0;
  }

 private:
  static constexpr std::size_t kSmallestBlock = 1024;

  void move_to(std::size_t capacity) {
    const std::size_t unread = size();
    auto block = std::make_unique_for_overwrite<char[]>(capacity);
    if (unread) std::memcpy(block.get(), data(), unread);
    release();
    block_ = std::move(block);
    capacity_ = capacity;
    end_ = unread;
  }

  BlockPool* pool_;
  BlockPool::Block block_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace net
