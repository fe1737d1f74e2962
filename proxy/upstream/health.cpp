#include "proxy/upstream/health.hpp"

#include <string>

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "proxy/net/spawn.hpp"
#include "proxy/upstream/connect_attempts.hpp"

namespace spillway::upstream {

namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

using PollStream = beast::basic_stream<net::asio::generic::stream_protocol, net::Executor>;

/// Longest head and longest body of a health answer; a longer one is a failed poll. As long as the head of any response
/// may be by default.
constexpr std::size_t kAnswerMax = 64 * 1024;
/// An API that is down is polled so many times as often, so that it is used again as soon as it is back.
constexpr int kPollsWhileDown = 10;

}  // namespace

HealthPoller::HealthPoller(net::asio::io_context& loop, Addresses& addresses, HealthConfig config,
                           std::function<void(const HealthResult&)> on_result)
    : loop_(loop),
      addresses_(addresses),
      config_(std::move(config)),
      on_result_(std::move(on_result)),
      timer_(loop.get_executor()) {}

void HealthPoller::start() {
  net::spawn_vital(loop_, run(), "polling the API's health");
}

void HealthPoller::configure(HealthConfig config) {
  config_ = std::move(config);
  timer_.cancel();
}

net::Task<> HealthPoller::run() {
  while (true) {
    const Time began = Clock::now();
    const bool polling = config_.interval > Duration::zero();
    HealthResult result{.asked = true, .healthy = true, .report = {}};
    if (polling) result = co_await try_poll();
    on_result_(result);
    const Duration pause = result.healthy || !result.asked ? config_.interval : config_.interval / kPollsWhileDown;
    timer_.expires_at(polling ? began + pause : Time::max());
    co_await timer_.async_wait(net::kAwait);
  }
}

/// An answer that cannot be read is a failed poll; no answer ends the polling.
net::Task<HealthResult> HealthPoller::try_poll() {
  HealthResult result;
  try {
    result = co_await poll();
  } catch (const std::exception&) {
  }
  co_return result;
}

net::Task<HealthResult> HealthPoller::poll() {
  PollStream stream(loop_.get_executor());
  const Time end = Clock::now() + config_.timeout;
  const std::shared_ptr<const Endpoints> list = addresses_.list();
  ConnectAttempts attempts(*list, end - config_.timeout, config_.timeout);
  net::error_code connect_error = net::asio::error::host_not_found;
  while (const auto attempt = attempts.next(Clock::now())) {
    stream.expires_after(attempt->time);
    const auto [error] = co_await stream.async_connect(attempt->endpoint, net::kAwait);
    connect_error = error;
    if (!error) addresses_.worked(attempt->endpoint);
    if (!error) break;
    if (error == beast::error::timeout) attempts.silent();
    stream.close();
  }
  stream.expires_at(end);
  if (connect_error) {
    addresses_.failed();
    HealthResult failed;
    failed.asked = connect_error != net::asio::error::no_descriptors &&
                   connect_error != boost::system::errc::too_many_files_open_in_system;
    co_return failed;
  }

  http::request<http::empty_body> request(http::verb::get, config_.path, 11);
  request.set(http::field::host, "spillway-health");
  request.set(http::field::user_agent, "spillway");
  request.set(http::field::connection, "close");
  const auto [write_error, written] = co_await http::async_write(stream, request, net::kAwait);
  if (write_error) co_return HealthResult{};

  // The parser does not limit a chunk-size line or a trailer; the buffer does.
  beast::flat_buffer buffer(kAnswerMax);
  http::response_parser<http::string_body> parser;
  parser.header_limit(kAnswerMax);
  parser.body_limit(kAnswerMax);
  const auto [read_error, read] = co_await http::async_read(stream, buffer, parser, net::kAwait);
  if (read_error) co_return HealthResult{};
  const auto field = parser.get()["Endpoint-Load-Metrics"];
  HealthResult result;
  result.healthy = beast::http::to_status_class(parser.get().result()) == http::status_class::successful;
  result.report = admission::parse_load_report({field.data(), field.size()});
  co_return result;
}

}  // namespace spillway::upstream
