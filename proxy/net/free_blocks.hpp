#pragma once

#include <array>
#include <cstddef>
#include <new>

namespace net {

/// Blocks of memory that one thread has used and keeps for the next ones of about the same size, latest first: the heap
/// costs more, and keeps seven of a size. For what each request takes a few of, in bursts of some hundreds.
/// Statically initialised; ends with its thread. Blocks that are given back afterwards, or by another thread that has
/// its own, are none of its business.
class FreeBlocks {
  static constexpr std::size_t kStep = 64;  ///< sizes in one list differ by less

 public:
  /// Greatest size that is kept.
  static constexpr std::size_t kLargest = 2048;
#ifdef SPILLWAY_ADDRESS_SANITIZER
  static constexpr bool kKeeps = false;  ///< whoever uses a block after its end is to be found
#else
  static constexpr bool kKeeps = true;
#endif

  /// Keeps `bytes` at most.
  constexpr explicit FreeBlocks(std::size_t bytes) : room_(kKeeps ? bytes : 0) {}
  FreeBlocks(const FreeBlocks&) = delete;
  FreeBlocks& operator=(const FreeBlocks&) = delete;
  ~FreeBlocks() {
    clear();
    room_ = 0;
  }

  /// Throws `bad_alloc` as `operator new` does.
  void* take(std::size_t size) {
    if (size > kLargest) return ::operator new(size);
    const std::size_t list = list_of(size);
    Free* const block = first_[list];
    if (!block) return ::operator new(size_in(list));
    first_[list] = block->next;
    room_ += size_in(list);
    return block;
  }
  /// `size` as it was taken.
  void give(void* memory, std::size_t size) {
    if (size > kLargest || room_ < size_in(list_of(size))) return ::operator delete(memory);
    const std::size_t list = list_of(size);
    first_[list] = new (memory) Free{first_[list]};
    room_ -= size_in(list);
  }
  void clear() {
    for (std::size_t list = 0; list < first_.size(); ++list) {
      while (Free* const block = first_[list]) {
        first_[list] = block->next;
        room_ += size_in(list);
        ::operator delete(block);
      }
    }
  }

 private:
  struct Free {
    Free* next;
  };
  static constexpr std::size_t list_of(std::size_t size) {
    return size == 0 ? 0 : (size - 1) / kStep;
  }
  static constexpr std::size_t size_in(std::size_t list) {
    return (list + 1) * kStep;
  }

  std::array<Free*, kLargest / kStep> first_{};
  std::size_t room_;  ///< bytes
};

}  // namespace net
