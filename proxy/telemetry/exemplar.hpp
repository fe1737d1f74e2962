#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "proxy/net/clock.hpp"

namespace spillway::telemetry {

/// Who an observation was about: an example of a bucket of a histogram.
struct Example {
  std::string_view trace_id;  ///< 32 hexadecimal digits
  bool sampled = false;       ///< its spans are kept, so a link to them leads somewhere
  Time at{};
};

struct Exemplar {
  std::array<char, 32> trace_id{};
  double value = 0;
  Time at{};
};

/// The newest example of one bucket. One thread writes, any may read, without a lock: a reader sees by the version
/// whether it has read during a write. An unsampled example does not replace a sampled one of the last minute.
class ExemplarSlot {
 public:
  static constexpr Duration kSampledKept = std::chrono::minutes(1);

  void note(double value, const Example& example) {
    if (!example.sampled && example.at < kept_until_) return;
    if (example.sampled) kept_until_ = example.at + kSampledKept;
    const std::uint64_t version = version_.load(std::memory_order_relaxed);
    version_.store(version + 1, std::memory_order_relaxed);
    // Who reads one of these also sees the version above.
    for (std::size_t i = 0; i < trace_id_.size(); ++i) {
      std::uint64_t part = 0;
      std::memcpy(&part, example.trace_id.data() + i * sizeof part, sizeof part);
      trace_id_[i].store(part, std::memory_order_release);
    }
    value_.store(value, std::memory_order_release);
    at_.store(example.at.time_since_epoch().count(), std::memory_order_release);
    version_.store(version + 2, std::memory_order_release);
  }

  /// Nothing before the first one, and if one is being written.
  std::optional<Exemplar> read() const {
    const std::uint64_t version = version_.load(std::memory_order_acquire);
    if (version == 0 || version % 2 != 0) return {};
    Exemplar found;
    for (std::size_t i = 0; i < trace_id_.size(); ++i) {
      const std::uint64_t part = trace_id_[i].load(std::memory_order_acquire);
      std::memcpy(found.trace_id.data() + i * sizeof part, &part, sizeof part);
    }
    found.value = value_.load(std::memory_order_acquire);
    found.at = Time(Time::duration(at_.load(std::memory_order_acquire)));
    if (version_.load(std::memory_order_relaxed) != version) return {};
    return found;
  }

 private:
  std::atomic<std::uint64_t> version_{0};  ///< odd: being written
  std::array<std::atomic<std::uint64_t>, 4> trace_id_{};
  std::atomic<double> value_{0};
  std::atomic<std::int64_t> at_{0};
  Time kept_until_ = Time::min();  ///< of the writing thread
};

}  // namespace spillway::telemetry
