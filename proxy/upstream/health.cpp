#include "proxy/upstream/health.hpp"

#include <string>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "proxy/net/spawn.hpp"

namespace spillway::upstream {

namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

using PollStream = beast::basic_stream<net::asio::generic::stream_protocol, net::Executor>;

/// A health answer is small; one whose head or body is longer is not read. As much as any head may have by default.
constexpr std::size_t kAnswerMax = 64 * 1024;
/// An API that is down is asked so many times as often: it is to be used again as soon as it is back.
constexpr int kSoonerWhileDown = 10;

}  // namespace

HealthPoller::HealthPoller(net::asio::io_context& loop, Endpoint endpoint, HealthConfig config,
                           std::function<void(const HealthResult&)> on_result)
    : loop_(loop),
      endpoint_(std::move(endpoint)),
      config_(std::move(config)),
      on_result_(std::move(on_result)),
      timer_(loop.get_executor()) {}

void HealthPoller::start() {
  net::spawn_vital(loop_, run(), "polling the API's health");
}

void HealthPoller::stop() {
  stopped_ = true;
  timer_.cancel();
}

void HealthPoller::configure(HealthConfig config) {
  config_ = std::move(config);
  timer_.cancel();
}

net::Task<> HealthPoller::run() {
  while (!stopped_) {
    const Time began = Clock::now();
    const bool polling = config_.interval > Duration::zero();
    HealthResult result{.asked = true, .healthy = true, .report = {}};
    if (polling) result = co_await try_poll();
    if (stopped_) break;
    on_result_(result);
    const Duration pause = result.healthy || !result.asked ? config_.interval : config_.interval / kSoonerWhileDown;
    timer_.expires_at(polling ? began + pause : Time::max());
    co_await timer_.async_wait(net::kAwait);
  }
}

/// Nothing that the API answers may end the polling: what cannot be read is a failed poll.
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
  stream.expires_after(config_.timeout);
  const auto [connect_error] = co_await stream.async_connect(endpoint_, net::kAwait);
  if (connect_error) {
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

  // The parser's limits do not hold for a chunk's line or a trailer; the buffer's does.
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

Endpoint resolve(const config::Address& address, std::string& error) {
  using Tcp = net::asio::ip::tcp;
  if (address.kind == config::Address::Kind::unix_socket) {
    return net::asio::local::stream_protocol::endpoint(address.path);
  }
  net::asio::io_context loop;
  net::error_code failure;
  const auto found = Tcp::resolver(loop).resolve(address.host, std::to_string(address.port), failure);
  if (!failure && !found.empty()) return Tcp::endpoint(*found.begin());
  error = "upstream.address: cannot resolve " + address.host + ": " + failure.message();
  return {};
}

}  // namespace spillway::upstream
