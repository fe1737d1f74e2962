#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include <boost/asio/buffer.hpp>

namespace net {

/// A few pieces of output that go out in one system call. The bytes belong to the caller.
class Gather {
 public:
  static constexpr std::size_t kPieces = 4;  ///< head, chunk size, payload, chunk end

  void add(std::string_view piece) {
    if (piece.empty()) return;
    pieces_[last_++] = boost::asio::const_buffer(piece.data(), piece.size());
    size_ += piece.size();
  }
  bool empty() const { return first_ == last_; }
  void consume(std::size_t n) {
    size_ -= n;
    while (n > 0) {
      const std::size_t part = std::min(n, pieces_[first_].size());
      pieces_[first_] += part;
      n -= part;
      if (pieces_[first_].size() == 0) ++first_;
    }
  }
  std::size_t size() const { return size_; }
  std::span<const boost::asio::const_buffer> pieces() const { return {pieces_.data() + first_, last_ - first_}; }

 private:
  std::array<boost::asio::const_buffer, kPieces> pieces_;
  std::size_t first_ = 0, last_ = 0, size_ = 0;
};

}  // namespace net
