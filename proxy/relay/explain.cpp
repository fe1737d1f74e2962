#include "proxy/relay/explain.hpp"

#include <fmt/format.h>

namespace spillway::relay {

namespace {

double ms(Duration d) {
  return std::chrono::duration<double, std::milli>(d).count();
}

std::string line(const admission::Request& request, const admission::Snapshot& now) {
  const auto index = static_cast<std::size_t>(request.class_index);
  const auto& of_class = now.classes[index < now.classes.size() ? index : 0];
  return fmt::format(
      "{} reason={} class={} in_flight={} limit={} class_in_flight={} class_share={} queue={} class_queue={} "
      "newest_first={} estimated_wait_ms={:.1f} service_ms={:.1f} pool_pct={:.0f} breaker={} ramp={:.2f} "
      "api_sheds={} reach={} reach_ramp={:.2f} "
      "retry_after_level={:.1f} clients={}",
      now.mode == admission::Mode::shadow ? "would refuse" : "refused", name(request.reason), of_class.name,
      now.in_flight, now.limit, of_class.in_flight, of_class.share, now.queue_length, of_class.waiting,
      of_class.overloaded, ms(of_class.estimated_wait), ms(of_class.service_time), now.pool_capacity_pct,
      name(of_class.breaker), of_class.breaker_admission, of_class.api_sheds, name(now.reach_breaker),
      now.breaker_admission, now.retry_after_seconds, now.keys);
}

std::string line(const admission::BreakerChange& change) {
  const auto& to = change.change;
  std::string text = fmt::format("breaker class={} state={} cause={}",
                                 change.class_name.empty() ? "*" : change.class_name, name(to.state), name(to.cause));
  if (to.requests > 0) text += fmt::format(" requests={} failed={} slow={}", to.requests, to.failed, to.slow);
  if (to.state == admission::Breaker::State::open) text += fmt::format(" open_ms={:.0f}", ms(to.lasts));
  if (to.state == admission::Breaker::State::closed) text += fmt::format(" ramp_ms={:.0f}", ms(to.lasts));
  return text;
}

}  // namespace

Gate::Explain log_refusals(telemetry::Log& log) {
  return [&log](const admission::Request& request, const admission::Snapshot& now) { log.info(line(request, now)); };
}

Gate::BreakerChanged log_breakers(telemetry::Log& log) {
  return [&log](const admission::BreakerChange& change) {
    change.change.state == admission::Breaker::State::open ? log.warning(line(change)) : log.info(line(change));
  };
}

}  // namespace spillway::relay
