#include "proxy/tls/record_memory.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

#include <malloc.h>
#include <openssl/crypto.h>

namespace tls {

namespace {

/// A record of 16 KiB with what it has beside its content.
constexpr std::size_t kLeast = 16 * 1024, kMost = kLeast + 1024;
/// Most are given back before the next one is taken: few are held at a time.
constexpr std::size_t kKept = 8;
#ifdef SPILLWAY_ADDRESS_SANITIZER
constexpr bool kKeeps = false;  // whoever uses a buffer after its end is to be found
#else
constexpr bool kKeeps = true;
#endif

struct FreeBuffer {
  FreeBuffer* next;
};

struct FreeBuffers {
  FreeBuffer* first = nullptr;
  std::size_t room = kKeeps ? kKept : 0;

  /// The thread ends. Buffers that are given back later go to the heap.
  ~FreeBuffers() {
    room = 0;
    while (FreeBuffer* const buffer = first) {
      first = buffer->next;
      std::free(buffer);
    }
  }
};

thread_local constinit FreeBuffers free_buffers;

void* allocate(std::size_t size, const char* /*file*/, int /*line*/) {
  if (size == 0) return nullptr;
  if (size < kLeast || size > kMost) return std::malloc(size);
  FreeBuffers& free = free_buffers;
  FreeBuffer* const buffer = free.first;
  if (!buffer) return std::malloc(kMost);
  free.first = buffer->next;
  ++free.room;
  return buffer;
}

void release(void* memory, const char* /*file*/, int /*line*/) {
  FreeBuffers& free = free_buffers;
  if (!memory || free.room == 0) return std::free(memory);
  const std::size_t size = ::malloc_usable_size(memory);
  if (size < kMost || size > kMost + kLeast) return std::free(memory);
  free.first = new (memory) FreeBuffer{free.first};
  --free.room;
}

void* reallocate(void* memory, std::size_t size, const char* file, int line) {
  if (size != 0) return std::realloc(memory, size);
  release(memory, file, line);
  return nullptr;
}

}  // namespace

bool keep_record_memory() {
  return CRYPTO_set_mem_functions(allocate, reallocate, release) == 1;
}

}  // namespace tls
