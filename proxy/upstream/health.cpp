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

/// Longest head and longest body of a health answer; a longer one is a failed poll. As long as the head of any response
/// may be by default.
constexpr std::size_t kAnswerMax = 64 * 1024;

/// Nobody listens there; of a unix socket also: it does not exist.
bool means_nobody(net::error_code error) {
  return error == net::asio::error::connection_refused || error == boost::system::errc::no_such_file_or_directory;
}

PollSchedule::Found found(const HealthResult& result) {
  using enum PollSchedule::Found;
  if (!result.asked) return unknown;
  if (result.healthy) return good;
  if (result.connected) return bad;
  return result.nobody ? nobody : silence;
}

/// A failed poll in words.
std::string why(net::error_code error, Duration timeout, const tls::Session* session = nullptr) {
  // What TLS says of it is more than the system's word for it, unless the connection itself has failed.
  if (session && !session->fault().empty()) return std::string(session->fault());
  if (error == net::asio::error::timed_out) {
    return "no answer in " + std::to_string(std::chrono::floor<std::chrono::milliseconds>(timeout).count()) + " ms";
  }
  if (error == net::asio::error::connection_refused) return "refused";
  if (error == net::asio::error::connection_reset || error == net::asio::error::broken_pipe) return "connection reset";
  if (error == http::error::end_of_stream) return "closed without an answer";
  if (error == http::error::partial_message) return "answer cut short";
  if (error == net::asio::error::host_not_found) return "the name cannot be resolved";
  if (error.category() == http::make_error_code(http::error::end_of_stream).category()) {
    return "invalid answer (" + error.message() + ")";
  }
  return error.message();
}

}  // namespace

HealthPoller::HealthPoller(net::asio::io_context& loop, Addresses& addresses, HealthConfig config,
                           std::shared_ptr<const tls::ClientContext> tls,
                           std::function<void(const HealthResult&)> on_result)
    : loop_(loop),
      addresses_(addresses),
      config_(std::move(config)),
      tls_(std::move(tls)),
      on_result_(std::move(on_result)),
      timer_(loop.get_executor()) {
  schedule_.configure(polling() ? config_.interval : Duration::zero(), Clock::now());
}

void HealthPoller::start() {
  net::spawn_vital(loop_, run(), "polling the API's health");
}

void HealthPoller::configure(HealthConfig config, std::shared_ptr<const tls::ClientContext> tls) {
  config_ = std::move(config);
  tls_ = std::move(tls);
  schedule_.configure(polling() ? config_.interval : Duration::zero(), Clock::now());
  timer_.cancel();
}

void HealthPoller::unreachable() {
  if (told_.exchange(true)) return;
  net::asio::post(loop_, [this] {
    told_ = false;
    if (schedule_.unreachable(static_cast<std::uint32_t>(random_()), Clock::now())) timer_.cancel();
  });
}

void HealthPoller::moved() {
  net::asio::post(loop_, [this] {
    if (schedule_.moved(Clock::now())) timer_.cancel();
  });
}

net::Task<> HealthPoller::run() {
  while (true) {
    HealthResult result;
    if (polling()) {
      schedule_.begins(Clock::now());
      result = co_await try_poll();
      result.counts = schedule_.ended(found(result), static_cast<std::uint32_t>(random_()), Clock::now());
    } else {
      result.healthy = true;
      result.text = "not polled";
      schedule_.rest();
    }
    on_result_(result);
    while (Clock::now() < schedule_.due()) {
      timer_.expires_at(schedule_.due());
      co_await timer_.async_wait(net::kAwait);
    }
  }
}

/// An answer that cannot be read is a failed poll; no answer ends the polling.
net::Task<HealthResult> HealthPoller::try_poll() {
  HealthResult result;
  const Time began = Clock::now();
  try {
    result = co_await poll();
  } catch (const std::exception& error) {
    result.text = error.what();
  }
  const auto took = std::chrono::floor<std::chrono::milliseconds>(Clock::now() - began).count();
  if (result.answered) result.text += " in " + std::to_string(took) + " ms";
  co_return result;
}

/// `stream` is the last one that was tried.
net::Task<net::error_code> HealthPoller::connect(std::optional<net::TimedStream>& stream, bool& nobody, Time end) {
  const std::shared_ptr<const Endpoints> list = addresses_.list();
  ConnectAttempts attempts(*list, Clock::now(), end - Clock::now());
  net::error_code failure = net::asio::error::host_not_found;
  nobody = !list->empty();
  while (const auto attempt = attempts.next(Clock::now())) {
    stream.emplace(net::Transport(loop_.get_executor()));
    stream->expires_after(attempt->time);
    failure = co_await stream->connect(attempt->endpoint, tls_);
    if (!failure) addresses_.worked(attempt->endpoint);
    if (!failure) break;
    nobody = nobody && means_nobody(failure);
    stream->close();
  }
  if (failure) addresses_.failed();
  co_return failure;
}

net::Task<HealthResult> HealthPoller::poll() {
  const HealthConfig config = config_;  // a reload may change it meanwhile
  const Time end = Clock::now() + config.timeout;
  HealthResult result;
  std::optional<net::TimedStream> connected;
  const net::error_code connect_error = co_await connect(connected, result.nobody, end);
  const tls::Session* const session = connected ? connected->transport().tls() : nullptr;
  if (connect_error) {
    result.asked = connect_error != net::asio::error::no_descriptors &&
                   connect_error != boost::system::errc::too_many_files_open_in_system;
    result.silent = connect_error == net::asio::error::timed_out;
    result.text = "connect: " + why(connect_error, config.timeout, session);
    co_return result;
  }
  result.connected = true;
  if (config.mode == HealthMode::tcp) {
    result.healthy = result.answered = true;
    result.text = "connected";
    co_return result;
  }

  net::TimedStream& stream = *connected;
  stream.expires_at(end);
  const std::string what = "GET " + config.path + ": ";
  http::request<http::empty_body> request(http::verb::get, config.path, 11);
  request.set(http::field::host, config.host.empty() ? addresses_.authority() : config.host);
  request.set(http::field::user_agent, "spillway");
  request.set(http::field::connection, "close");
  const auto [write_error, written] = co_await http::async_write(stream, request, net::kAwait);
  net::error_code error = write_error;

  // The parser does not limit a chunk-size line or a trailer; the buffer does.
  beast::flat_buffer buffer(kAnswerMax);
  std::optional<http::response_parser<http::string_body>> parser;
  // Informational responses come before the answer (RFC 9110, section 15.2); 101 would be the last of HTTP.
  while (!error && (!parser || (parser->get().result_int() < 200 && parser->get().result_int() != 101))) {
    parser.emplace();
    parser->header_limit(kAnswerMax);
    parser->body_limit(kAnswerMax);
    const auto [read_error, read] = co_await http::async_read(stream, buffer, *parser, net::kAwait);
    error = read_error;
  }
  if (error) {
    result.silent = error == net::asio::error::timed_out;
    result.text = what + why(error, config.timeout, session);
    co_return result;
  }
  const auto field = parser->get()["Endpoint-Load-Metrics"];
  result.answered = true;
  result.healthy = expected(config.expect, parser->get().result_int());
  result.report = admission::parse_load_report({field.data(), field.size()});
  result.text = what + std::to_string(parser->get().result_int());
  result.body = std::move(parser->get().body());
  co_return result;
}

}  // namespace spillway::upstream
