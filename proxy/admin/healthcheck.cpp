#include "proxy/admin/healthcheck.hpp"

#include <ostream>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "config/command_line.hpp"
#include "proxy/upstream/health.hpp"

namespace spillway::admin {

namespace {
/// Longest time for a look-up and for the answer.
constexpr Duration kPatience = std::chrono::seconds(2);
}  // namespace

int healthcheck(const std::string& address, std::ostream& err) {
  config::Address parsed;
  if (!parse(address, parsed)) {
    err << "--admin: " << address << " is no address (host:port, [v6]:port or unix:/path)\n";
    return config::kExitUsage;
  }
  upstream::Addresses addresses(parsed);
  if (!addresses.start(kPatience, kPatience, {})) {
    err << "not ready: cannot resolve " << parsed.host << '\n';
    return config::kExitFailure;
  }
  HealthConfig config;
  config.path = "/ready";
  config.expect = "200-299";
  config.timeout = kPatience;
  upstream::HealthResult result;
  net::asio::io_context loop;
  upstream::HealthPoller poller(loop, addresses, config, [&](const upstream::HealthResult& answer) {
    result = answer;
    loop.stop();
  });
  poller.start();
  loop.run();
  if (!result.healthy) err << "not ready: " << address << ": " << result.text << '\n';
  return result.healthy ? config::kExitOk : config::kExitFailure;
}

}  // namespace spillway::admin
