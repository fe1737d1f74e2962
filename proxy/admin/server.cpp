#include "proxy/admin/server.hpp"

#include <cstdio>
#include <ctime>

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include "proxy/admin/gzip.hpp"
#include "proxy/net/spawn.hpp"
#include "proxy/net/timed_stream.hpp"

namespace spillway::admin {

namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

constexpr std::uint32_t kHeadMax = 8 * 1024;
constexpr std::uint64_t kBodyMax = 8 * 1024;  ///< no page needs one; it is read so that the connection can go on
/// Also limits what the parser does not: a chunk-size line and a trailer, which no scraper has a reason to send.
constexpr std::size_t kUnreadMax = 2 * kHeadMax;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::size_t kGzipMin = 1024;               ///< less than a packet: not worth the time
constexpr auto kTimeout = std::chrono::seconds(10);  ///< for a request, and between two

/// What a request is answered that cannot be read; 0: the connection has ended, and nobody waits for an answer.
unsigned status_of(const net::error_code& error) {
  if (error.category() != http::make_error_code(http::error::bad_method).category()) return 0;
  if (error == http::error::end_of_stream || error == http::error::partial_message) return 0;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) return 431;
  return error == http::error::body_limit ? 413 : 400;
}

/// `http://host/path` asks for `/path`, as a proxy would be asked (RFC 9112, section 3.2.2).
std::string_view path_of(std::string_view target) {
  const std::size_t scheme = target.starts_with("http://") ? 7 : target.starts_with("https://") ? 8 : 0;
  if (scheme == 0) return target;
  const std::size_t path = target.find_first_of("/?", scheme);
  return path == target.npos || target[path] == '?' ? "/" : target.substr(path);
}

/// A request of HTTP/1.1 has one Host, one of HTTP/1.0 may lack it (RFC 9112, section 3.2).
bool host_fits(const http::request_header<>& request) {
  const std::size_t hosts = request.count(http::field::host);
  return hosts == 1 || (hosts == 0 && request.version() < 11);
}

}  // namespace

/// It is in one of its server's lists until it ends or is closed.
class Server::Connection : public boost::intrusive::list_base_hook<boost::intrusive::tag<Server>> {
 public:
  Connection(Server& server, net::Socket socket) : stream(net::Transport(std::move(socket))), server_(server) {
    server_.silent_.push_back(*this);
    ++server_.count_;
    if (!server.tls_) return;
    auto session = server.tls_->accept();
    session ? stream.transport().secure(std::move(session)) : stream.close();
  }
  ~Connection() { leave(); }
  Connection(const Connection&) = delete;

  /// It has sent a request: it becomes the last one to be closed.
  void mark_active() {
    if (!is_linked()) return;
    list_->erase(Connections::s_iterator_to(*this));
    list_ = &server_.active_;
    list_->push_back(*this);
  }
  /// Closes it, because a new connection takes its place.
  void evict() {
    leave();
    stream.close();  // ends the wait of its coroutine, which destroys it
  }

  net::TimedStream stream;

 private:
  void leave() {
    if (!is_linked()) return;
    list_->erase(Connections::s_iterator_to(*this));
    --server_.count_;
  }

  Server& server_;
  Connections* list_ = &server_.silent_;
};

Server::Server(net::asio::io_context& loop, std::vector<net::ListenSocket> sockets, Pages pages)
    : loop_(loop), pages_(std::move(pages)) {
  for (net::ListenSocket& socket : sockets) {
    listeners_.push_back(
        std::make_unique<net::Listener>(loop.get_executor(), std::move(socket),
                                        [this](net::Accepted accepted) { accept(std::move(accepted.socket)); }));
  }
}

void Server::accept(net::Socket socket) {
  if (count_ >= connections_max_) (silent_.empty() ? active_ : silent_).front().evict();
  net::spawn(loop_, serve(std::make_unique<Connection>(*this, std::move(socket))),
             [](const char* what) { std::fprintf(stderr, "an admin connection was dropped: %s\n", what); });
}

Server::~Server() = default;

void Server::start() {
  for (const auto& listener : listeners_) listener->start();
}

void Server::stop() {
  for (const auto& listener : listeners_) listener->stop();
  for (Connections* list : {&silent_, &active_}) {
    while (!list->empty()) list->front().evict();
  }
}

Page Server::answer(std::string_view method, std::string_view target, const Asked& asked) const {
  if (method != "GET" && method != "HEAD") return {405, "text/plain; charset=utf-8", "This listener is read-only.\n"};
  target = path_of(target);
  const auto page = pages_.find(target.substr(0, target.find('?')));
  if (page == pages_.end()) return {404, "text/plain; charset=utf-8", "No such page.\n"};
  return page->second(asked);
}

net::Task<> Server::serve(std::unique_ptr<Connection> connection) {
  net::TimedStream& stream = connection->stream;
  net::error_code refused;
  stream.expires_after(kTimeout);
  if (stream.transport().tls()) refused = co_await stream.transport().handshake();
  if (refused) co_return;
  beast::flat_buffer buffer(kUnreadMax);
  for (bool more = true; more;) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(kHeadMax);
    parser.body_limit(kBodyMax);
    stream.expires_after(kTimeout);
    auto [read_error, read] = co_await http::async_read_header(stream, buffer, parser, net::kAwait);
    if (!read_error && beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      auto [error, size] = co_await net::asio::async_write(stream, net::asio::buffer(kContinue), net::kAwait);
      if (error) break;
    }
    if (!read_error) {
      auto [error, size] = co_await http::async_read(stream, buffer, parser, net::kAwait);
      read_error = error;
    }
    unsigned fault = status_of(read_error);
    if (read_error && fault == 0) break;
    if (fault == 0) connection->mark_active();
    const auto& request = parser.get();
    if (!read_error && !host_fits(request)) fault = 400;
    const auto field = [&](http::field name) { return std::string_view(request[name].data(), request[name].size()); };
    Page page = fault != 0 ? Page{fault, "text/plain; charset=utf-8", "This is no request that can be read.\n"}
                           : answer({request.method_string().data(), request.method_string().size()},
                                    {request.target().data(), request.target().size()}, {field(http::field::accept)});
    http::response<http::string_body> response(static_cast<http::status>(page.status), request.version());
    response.set(http::field::date, date_.at(std::time(nullptr)));
    response.set(http::field::content_type, page.content_type);
    response.set(http::field::cache_control, "no-store");
    response.set("X-Content-Type-Options", "nosniff");
    if (!page.content_policy.empty()) response.set("Content-Security-Policy", page.content_policy);
    if (page.status == 405) response.set(http::field::allow, "GET, HEAD");
    response.keep_alive(fault == 0 && request.keep_alive());
    response.set(http::field::vary, "Accept, Accept-Encoding");
    if (page.body.size() >= kGzipMin && accepts_gzip(field(http::field::accept_encoding))) {
      page.body = gzip(page.body);
      response.set(http::field::content_encoding, "gzip");
    }
    response.body() = std::move(page.body);
    response.prepare_payload();
    if (request.method() == http::verb::head) response.body().clear();
    stream.expires_after(kTimeout);
    const auto [write_error, written] = co_await http::async_write(stream, response, net::kAwait);
    more = !write_error && response.keep_alive();
  }
  stream.close();
}

}  // namespace spillway::admin
