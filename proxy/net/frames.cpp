#include "proxy/net/free_blocks.hpp"
#include "proxy/net/io.hpp"

/// Memory of coroutine frames. Asio keeps eight; a worker with a hundred requests in flight has three of each.
namespace net {
namespace {
/// What some hundred requests in flight take.
constexpr std::size_t kKept = 512 * 1024;
thread_local constinit FreeBlocks free_frames{kKept};
}  // namespace

void clear_frames() {
  free_frames.clear();
}

}  // namespace net

namespace boost::asio::detail {

template <>
void* awaitable_frame_base<net::Executor>::operator new(std::size_t size) {
  return net::free_frames.take(size);
}

template <>
void awaitable_frame_base<net::Executor>::operator delete(void* memory, std::size_t size) {
  net::free_frames.give(memory, size);
}

}  // namespace boost::asio::detail
