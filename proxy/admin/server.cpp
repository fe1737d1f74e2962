#include "proxy/admin/server.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

namespace spillway::admin {

namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

using AdminStream = beast::basic_stream<net::asio::generic::stream_protocol, net::Executor>;

constexpr int kConnectionsMax = 64;  ///< a few scrapers and people
constexpr std::uint32_t kHeadMax = 8 * 1024;
constexpr auto kTimeout = std::chrono::seconds(10);  ///< for a request, and between two

}  // namespace

Server::Server(net::asio::io_context& loop, net::ListenSocket socket, Pages pages)
    : loop_(loop), pages_(std::move(pages)), listener_(loop.get_executor(), std::move(socket), [this](net::Accepted a) {
        if (connections_ >= kConnectionsMax) return;
        net::asio::co_spawn(loop_, serve(std::move(a.socket)), net::asio::detached);
      }) {}

void Server::start() {
  listener_.start();
}
void Server::stop() {
  listener_.stop();
}

Page Server::answer(std::string_view method, std::string_view target) const {
  if (method != "GET" && method != "HEAD") return {405, "text/plain; charset=utf-8", "This listener is read-only.\n"};
  const auto page = pages_.find(target.substr(0, target.find('?')));
  if (page == pages_.end()) return {404, "text/plain; charset=utf-8", "No such page.\n"};
  return page->second();
}

net::Task<> Server::serve(net::Socket socket) {
  ++connections_;
  AdminStream stream(std::move(socket));
  beast::flat_buffer buffer;
  for (bool more = true; more;) {
    http::request_parser<http::empty_body> parser;
    parser.header_limit(kHeadMax);
    stream.expires_after(kTimeout);
    const auto [read_error, read] = co_await http::async_read(stream, buffer, parser, net::kAwait);
    if (read_error) break;
    const auto& request = parser.get();
    const Page page = answer({request.method_string().data(), request.method_string().size()},
                             {request.target().data(), request.target().size()});
    http::response<http::string_body> response(static_cast<http::status>(page.status), request.version());
    response.set(http::field::content_type, page.content_type);
    response.set(http::field::cache_control, "no-store");
    response.keep_alive(request.keep_alive());
    response.body() = page.body;
    response.prepare_payload();
    if (request.method() == http::verb::head) response.body().clear();
    stream.expires_after(kTimeout);
    const auto [write_error, written] = co_await http::async_write(stream, response, net::kAwait);
    more = !write_error && request.keep_alive();
  }
  --connections_;
}

}  // namespace spillway::admin
