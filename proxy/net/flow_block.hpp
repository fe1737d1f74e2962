#pragma once

#include "proxy/net/memory_budget.hpp"
#include "proxy/net/stream.hpp"

namespace net {

/// Has a body read into a large block while it flows, and into a standard one otherwise. Large blocks are taken from a
/// budget, so that many slow peers together hold no more than that.
class FlowBlock {
 public:
  explicit FlowBlock(MemoryBudget& budget) : memory_(budget) {}

  /// Before each read of the body. A read that has filled its block is followed by one into a large block, if the
  /// budget with it keeps to `limit` bytes; a read that would have found room in a standard block ends that.
  /// Reads over TLS stay as they are: each brings a record, which is no larger than a standard block.
  void prepare(Stream& stream, std::size_t limit) {
    Buffer& in = stream.in;
    if (stream.reading() || !in.empty() || stream.transport().tls()) return;
    if (memory_.size() > 0) {
      if (in.filled() < kBlockSize) end(stream);
    } else if (in.capacity() == kBlockSize && in.filled() == kBlockSize && memory_.grow_to(kLargeBlock, limit)) {
      in.enlarge();
    }
  }
  /// The body has ended, or its connection is closed. While the stream has unread bytes the block stays.
  void end(Stream& stream) {
    if (memory_.size() == 0) return;
    if (stream.in.empty() && !stream.reading()) stream.in.release();
    memory_.reset();
  }

 private:
  MemoryShare memory_;
};

}  // namespace net
