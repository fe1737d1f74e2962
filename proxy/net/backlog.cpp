#include "proxy/net/backlog.hpp"

#include <algorithm>
#include <cstring>

namespace net {

std::size_t Backlog::memory_with(std::size_t more) const {
  return (begin_ + size_ + more + kBlockSize - 1) / kBlockSize * kBlockSize;
}

void Backlog::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t at = (begin_ + size_) % kBlockSize;
    if (begin_ + size_ == memory()) blocks_.push_back(pool_->take());
    const std::size_t part = std::min(bytes.size(), kBlockSize - at);
    std::memcpy(blocks_.back().get() + at, bytes.data(), part);
    bytes.remove_prefix(part);
    size_ += part;
  }
}

Gather Backlog::front() const {
  Gather output;
  std::size_t begin = begin_, left = size_;
  for (std::size_t i = first_; left > 0 && output.pieces().size() < Gather::kPieces; ++i) {
    const std::size_t part = std::min(left, kBlockSize - begin);
    output.add({blocks_[i].get() + begin, part});
    left -= part;
    begin = 0;
  }
  return output;
}

void Backlog::consume(std::size_t size) {
  begin_ += size;
  size_ -= size;
  if (size_ == 0) return clear();
  for (; begin_ >= kBlockSize; begin_ -= kBlockSize) pool_->give(std::move(blocks_[first_++]));
  // The places of blocks that have gone out are given up in one go, once they are the greater part.
  if (2 * first_ > blocks_.size()) {
    blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

void Backlog::clear() {
  for (; first_ < blocks_.size(); ++first_) pool_->give(std::move(blocks_[first_]));
  blocks_.clear();
  first_ = begin_ = size_ = 0;
}

}  // namespace net
