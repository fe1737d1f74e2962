#include "proxy/http2/session_memory.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

#include "proxy/net/free_blocks.hpp"

namespace spillway::http2 {

namespace {

/// What some hundred streams take.
constexpr std::size_t kKept = 512 * 1024;
thread_local constinit net::FreeBlocks free_blocks{kKept};

/// In front of each block: nghttp2 does not say how large what it gives back is.
struct alignas(std::max_align_t) Head {
  std::size_t size;  ///< with the head
};

void* take(std::size_t size, void* /*user*/) {
  try {
    const std::size_t all = size + sizeof(Head);
    return new (free_blocks.take(all)) Head{all} + 1;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void give(void* memory, void* /*user*/) {
  if (!memory) return;
  Head* const head = static_cast<Head*>(memory) - 1;
  free_blocks.give(head, head->size);
}

void* take_zeroed(std::size_t count, std::size_t size, void* user) {
  void* const memory = take(count * size, user);
  if (memory) std::memset(memory, 0, count * size);
  return memory;
}

void* resize(void* memory, std::size_t size, void* user) {
  void* const larger = take(size, user);
  if (!memory || !larger) return larger;
  const std::size_t old = (static_cast<Head*>(memory) - 1)->size - sizeof(Head);
  std::memcpy(larger, memory, std::min(old, size));
  give(memory, user);
  return larger;
}

}  // namespace

nghttp2_mem* session_memory() {
  static nghttp2_mem all{nullptr, take, give, take_zeroed, resize};
  return &all;
}

}  // namespace spillway::http2
