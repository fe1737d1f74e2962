#include "proxy/tracing/collector.hpp"

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include "proxy/net/spawn.hpp"
#include "proxy/net/timed_stream.hpp"

namespace tracing {

namespace {

namespace http = boost::beast::http;

/// For connecting, sending and the answer together.
constexpr net::Duration kPatience = std::chrono::seconds(2);
/// The most of an answer that is read: its head. A longer one is no answer.
constexpr std::size_t kHeadMax = 8 * 1024;
constexpr std::string_view kTls = "TLS: ";

/// What went wrong, in words. `stream`: where it did; null: there was none.
std::string why(net::error_code error, net::TimedStream* stream) {
  // What TLS says of it is more than the system's word for it, unless the connection itself has failed.
  const tls::Session* const session = stream ? stream->transport().tls() : nullptr;
  if (session && !session->fault().empty()) return std::string(kTls).append(session->fault());
  if (error == net::asio::error::timed_out) {
    return "no answer in " + std::to_string(std::chrono::floor<std::chrono::seconds>(kPatience).count()) + " s";
  }
  const auto& of_http = http::make_error_code(http::error::end_of_stream).category();
  return error.category() == of_http ? "no HTTP answer" : error.message();
}

}  // namespace

/// What one call of `post` works on.
struct Collector::Post {
  net::Executor executor;
  net::Endpoints endpoints;
  const std::string& body;
  std::string& error;
  Answer answer = Answer::later;
};

Collector::Collector(config::TracingEndpoint endpoint, std::shared_ptr<const tls::ClientContext> tls,
                     std::string user_agent)
    : endpoint_(std::move(endpoint)), tls_(std::move(tls)), user_agent_(std::move(user_agent)) {}

Collector::Answer Collector::post(const std::string& body, std::string& error) {
  net::asio::io_context loop(1);
  Post post{loop.get_executor(), net::resolve(endpoint_.address, error), body, error};
  if (post.endpoints.empty()) return Answer::later;
  net::spawn(loop, talk(&post), [&error](const char* what) { error = what; });
  loop.run();
  return post.answer;
}

net::Task<> Collector::talk(Post* post) {
  const net::Time end = net::Clock::now() + kPatience;
  std::optional<net::TimedStream> stream;
  net::error_code error;
  std::size_t untried = post->endpoints.size();
  for (const net::Endpoint& endpoint : post->endpoints) {
    const net::Time now = net::Clock::now();
    stream.emplace(net::Transport(post->executor));
    stream->expires_at(now + (end - now) / untried--);  // an address that is silent leaves time for the others
    error = co_await stream->connect(endpoint, tls_);
    if (!error) break;
    // That one address refuses must not hide that the collector at another one is not who it should be.
    if (!post->error.starts_with(kTls)) post->error = why(error, &*stream);
    stream->close();
  }
  if (error) co_return;

  stream->expires_at(end);
  const std::string head =
      "POST " + endpoint_.path + " HTTP/1.1\r\nHost: " + endpoint_.host +
      "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(post->body.size()) +
      "\r\nUser-Agent: " + user_agent_ + "\r\nConnection: close\r\n\r\n";
  const std::array<net::asio::const_buffer, 2> request{net::asio::buffer(head), net::asio::buffer(post->body)};
  const auto [write_error, written] = co_await net::asio::async_write(*stream, request, net::kAwait);
  // A collector that refuses a request may close before it has read it all: its answer counts.
  boost::beast::flat_buffer buffer(2 * kHeadMax);
  int status = 0;
  // Informational responses come before the answer (RFC 9110, section 15.2); 101 would be the last of HTTP.
  while (status < 200 && status != 101) {
    http::response_parser<http::empty_body> parser;
    parser.header_limit(kHeadMax);
    const auto [read_error, read] = co_await http::async_read_header(*stream, buffer, parser, net::kAwait);
    error = read_error;
    if (error) break;
    status = parser.get().result_int();
  }
  if (error) post->error = why(write_error ? write_error : error, &*stream);
  stream->close();
  if (error) co_return;
  if (status >= 200 && status < 300) {
    post->answer = Answer::taken;
    co_return;
  }
  post->error = "it answers " + std::to_string(status);
  // The statuses that OTLP names as worth a repetition.
  const bool later = status == 429 || status == 502 || status == 503 || status == 504;
  post->answer = later ? Answer::later : Answer::never;
}

}  // namespace tracing
