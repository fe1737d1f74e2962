#include <array>
#include <cstddef>
#include <new>

#include "proxy/net/io.hpp"

/// Memory of coroutine frames, kept by each thread for the next call. Asio keeps eight frames; a worker with a hundred
/// requests in flight has three of each, and would take them from the heap.
namespace net {
namespace {

constexpr std::size_t kStep = 128;         ///< sizes of frames in one list differ by less
constexpr std::size_t kSizes = 16;         ///< up to 2 KiB, twice the largest on the path of a request
constexpr std::size_t kKept = 512 * 1024;  ///< bytes: what some hundred requests in flight take
#ifdef __SANITIZE_ADDRESS__
constexpr bool kKeeps = false;  // whoever uses a frame after its end is to be found
#else
constexpr bool kKeeps = true;
#endif

struct FreeFrame {
  FreeFrame* next;
};

struct FreeFrames {
  std::array<FreeFrame*, kSizes> first{};  ///< of each size
  std::size_t room = kKeeps ? kKept : 0;

  /// The thread ends. Frames that end later go back to the heap.
  ~FreeFrames() {
    room = 0;
    for (FreeFrame*& list : first) {
      while (FreeFrame* const frame = list) {
        list = frame->next;
        ::operator delete(frame);
      }
    }
  }
};

thread_local constinit FreeFrames free_frames;

/// Which list a frame of `size` bytes belongs to, and what a frame of that list takes.
constexpr std::size_t list_of(std::size_t size) {
  return (size - 1) / kStep;
}
constexpr std::size_t size_in(std::size_t list) {
  return (list + 1) * kStep;
}

}  // namespace
}  // namespace net

namespace boost::asio::detail {

template <>
void* awaitable_frame_base<net::Executor>::operator new(std::size_t size) {
  const std::size_t list = net::list_of(size);
  if (list >= net::kSizes) return ::operator new(size);
  net::FreeFrames& free = net::free_frames;
  net::FreeFrame* const frame = free.first[list];
  if (!frame) return ::operator new(net::size_in(list));
  free.first[list] = frame->next;
  free.room += net::size_in(list);
  return frame;
}

template <>
void awaitable_frame_base<net::Executor>::operator delete(void* memory, std::size_t size) {
  const std::size_t list = net::list_of(size);
  net::FreeFrames& free = net::free_frames;
  if (list >= net::kSizes || free.room < net::size_in(list)) return ::operator delete(memory);
  free.first[list] = new (memory) net::FreeFrame{free.first[list]};
  free.room -= net::size_in(list);
}

}  // namespace boost::asio::detail
