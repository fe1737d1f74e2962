#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

/// Counts of microseconds in buckets whose width grows with the value: 64 to each doubling, so a quantile is at most
/// 1.6 % off (the layout of HdrHistogram: linear within an octave, logarithmic across).
class LogLinear {
 public:
  void add(std::uint64_t microseconds) {
    const std::size_t bucket = index(microseconds);
    if (bucket >= counts_.size()) counts_.resize(bucket + 1);
    ++counts_[bucket];
    ++total_;
    if (microseconds > most_) most_ = microseconds;
  }
  void add(const LogLinear& other) {
    if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
    for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
    total_ += other.total_;
    if (other.most_ > most_) most_ = other.most_;
  }

  std::uint64_t total() const { return total_; }
  std::uint64_t most() const { return most_; }
  /// The smallest value that a share of `q` does not exceed, in microseconds; 0 if nothing was counted.
  double quantile(double q) const {
    const double wanted = q * static_cast<double>(total_);
    double seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += static_cast<double>(counts_[i]);
      if (counts_[i] > 0 && seen >= wanted) return middle(i);
    }
    return 0;
  }

 private:
  static constexpr std::uint64_t kLinear = 64;
  static constexpr int kBits = 6;

  static std::size_t index(std::uint64_t value) {
    if (value < kLinear) return static_cast<std::size_t>(value);
    const int octave = static_cast<int>(std::bit_width(value)) - 1 - kBits;
    return static_cast<std::size_t>((static_cast<std::uint64_t>(octave) + 1) * kLinear + ((value >> octave) - kLinear));
  }
  static double middle(std::size_t bucket) {
    if (bucket < kLinear) return static_cast<double>(bucket);
    const std::uint64_t octave = bucket / kLinear - 1;
    const std::uint64_t low = (bucket % kLinear + kLinear) << octave;
    return static_cast<double>(low) + static_cast<double>((std::uint64_t{1} << octave) - 1) / 2;
  }

  std::vector<std::uint32_t> counts_;
  std::uint64_t total_ = 0, most_ = 0;
};
