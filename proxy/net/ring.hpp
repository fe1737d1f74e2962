#pragma once

#include <memory>
#include <string>

#include <liburing.h>

#include "proxy/net/batch.hpp"

namespace net {

/// Transfers in one system call, by io_uring. Each is submitted so that it never waits, and so has ended when the call
/// returns: the ring is empty between two calls, and epoll remains what waits for events. Takes a descriptor and some
/// 20 KiB, which count as locked memory on kernels before 5.12.
class Ring final : public Batch {
 public:
  /// Null, with `why` it cannot be had: an old kernel, or one that is told to refuse it.
  static std::unique_ptr<Ring> open(std::string& why);
  ~Ring() override;
  Ring(const Ring&) = delete;

  bool begin() override;
  void perform(std::span<Transfer> all) override;

 private:
  static constexpr unsigned kEntries = 128;  ///< as many as Asio has events reported at a time

  Ring() = default;
  void submit(std::span<Transfer> some);
  std::size_t reap(std::span<Transfer> some);

  io_uring ring_{};
  bool broken_ = false;  ///< the kernel has taken less than it was given: each transfer takes a call of its own
};

}  // namespace net
