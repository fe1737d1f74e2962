#pragma once

#include <atomic>
#include <cstddef>
#include <utility>

namespace net {

/// Bytes held in memory by all workers together. Counts only; taken and given back from any thread.
class MemoryBudget {
 public:
  /// False: `bytes` more would exceed `limit`; nothing is taken.
  bool take(std::size_t bytes, std::size_t limit) {
    std::size_t used = used_.load(std::memory_order_relaxed);
    do {
      if (used > limit || bytes > limit - used) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes, std::memory_order_relaxed));
    return true;
  }
  void give_back(std::size_t bytes) { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::size_t used() const { return used_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> used_{0};
};

/// One holder's part of a budget, which must outlive it. Goes back when it dies.
class MemoryShare {
 public:
  explicit MemoryShare(MemoryBudget& budget) : budget_(budget) {}
  ~MemoryShare() { reset(); }
  MemoryShare(const MemoryShare&) = delete;
  MemoryShare& operator=(const MemoryShare&) = delete;

  std::size_t size() const { return size_; }
  /// Holds `size` bytes from now on, at least. False: that would exceed `limit`; it holds what it held.
  bool grow_to(std::size_t size, std::size_t limit) {
    if (size <= size_) return true;
    if (!budget_.take(size - size_, limit)) return false;
    size_ = size;
    return true;
  }
  /// Holds `size` bytes from now on, at most.
  void shrink_to(std::size_t size) {
    if (size < size_) budget_.give_back(std::exchange(size_, size) - size);
  }
  void reset() { shrink_to(0); }

 private:
  MemoryBudget& budget_;
  std::size_t size_ = 0;
};

}  // namespace net
