#include "proxy/http2/abuse_meter.hpp"

#include <algorithm>

namespace spillway::http2 {

bool AbuseMeter::note(Abuse kind, Time now) {
  Bucket& bucket = buckets_[static_cast<std::size_t>(kind)];
  const float per_second = rate(kind);
  const float leaked = std::chrono::duration<float>(now - bucket.at).count() * per_second;
  bucket.level = std::max(0.0F, bucket.level - leaked) + 1;
  bucket.at = now;
  return bucket.level > std::chrono::duration<float>(kMean).count() * per_second;
}

void AbuseMeter::explain(Abuse kind, int count) {
  Bucket& bucket = buckets_[static_cast<std::size_t>(kind)];
  bucket.level = std::max(0.0F, bucket.level - static_cast<float>(count));
}

float AbuseMeter::rate(Abuse kind) const {
  const bool resets = kind == Abuse::reset || kind == Abuse::provoked || kind == Abuse::shut_window;
  return static_cast<float>(resets ? limits_.resets : limits_.frames);
}

}  // namespace spillway::http2
