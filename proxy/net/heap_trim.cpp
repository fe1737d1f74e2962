#include "proxy/net/heap_trim.hpp"

#include <malloc.h>

namespace net {

namespace {
/// So many connections that have given their buffers up, or handshakes, leave a MiB or more.
constexpr std::size_t kMany = 256;
constexpr Duration kQuiet = std::chrono::seconds(1);
}  // namespace

void HeapTrim::left_free(Time now) {
  if (++times_ >= kMany) timers_.arm(*this, now + kQuiet);
}

void HeapTrim::on_deadline() {
  times_ = 0;
  empty_pools_();
  ::malloc_trim(0);
}

}  // namespace net
