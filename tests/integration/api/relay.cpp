#include "tests/integration/api/relay.hpp"

#include <array>
#include <future>

#include <netinet/in.h>
#include <unistd.h>

#include "tests/integration/api/database.hpp"

namespace api::test {

namespace asio = boost::asio;

struct Relay::Link {
  explicit Link(Stream::socket socket) : client(std::move(socket)), server(client.get_executor()) {}
  Stream::socket client;
  Stream::socket server;
  bool silent = false;

  void close() {
    boost::system::error_code ignored;
    client.close(ignored);
    server.close(ignored);
  }
};

Relay::Relay(Place place, const std::string& host) : place_(place) {
  const Database& database = Database::shared();
  const std::string name = "/.s.PGSQL." + database.port();
  path_ = folder_.path() + name;
  target_ = (host.empty() ? database.host() : host) + name;
  listen();
  thread_ = std::thread([this] {
    auto work = asio::make_work_guard(loop_);
    loop_.run();
  });
}

Relay::~Relay() {
  cut();
  loop_.stop();
  thread_.join();
}

std::string Relay::url() const {
  if (place_ == Place::folder) return Database::shared().url_through(folder_.path());
  return Database::shared().url_through("127.0.0.1") + " port=" + std::to_string(port_);
}

void Relay::on_loop(std::function<void()> action) {
  std::promise<void> done;
  asio::post(loop_, [&] {
    action();
    done.set_value();
  });
  done.get_future().wait();
}

void Relay::cut() {
  on_loop([this] {
    for (const auto& link : links_) link->close();
  });
}

void Relay::refuse() {
  on_loop([this] {
    acceptor_.close();
    ::unlink(path_.c_str());
  });
}

void Relay::hang() {
  on_loop([this] { hanging_ = true; });
}

void Relay::silence() {
  on_loop([this] {
    for (const auto& link : links_) {
      if (!link->silent) ++silent_;
      link->silent = true;
    }
  });
}

void Relay::half_close() {
  on_loop([this] {
    for (const auto& link : links_) {
      if (!link->silent) ++silent_;
      link->silent = true;
      boost::system::error_code ignored;
      link->client.shutdown(Stream::socket::shutdown_send, ignored);
    }
  });
}

void Relay::restore() {
  on_loop([this] {
    hanging_ = false;
    restored_.cancel();
    if (!acceptor_.is_open()) listen();
  });
}

void Relay::listen() {
  if (place_ == Place::folder) {
    const asio::local::stream_protocol::endpoint endpoint(path_);
    acceptor_.open(endpoint.protocol());
    acceptor_.bind(endpoint);
  } else {
    const asio::ip::tcp::endpoint endpoint(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port_));
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint);
    const Stream::endpoint bound = acceptor_.local_endpoint();
    port_ = ntohs(reinterpret_cast<const sockaddr_in*>(bound.data())->sin_port);
  }
  acceptor_.listen();
  accept();
}

void Relay::accept() {
  acceptor_.async_accept([this](boost::system::error_code error, Stream::socket socket) {
    if (error) return;
    asio::co_spawn(loop_, serve(std::make_shared<Link>(std::move(socket))), asio::detached);
    accept();
  });
}

asio::awaitable<void> Relay::serve(std::shared_ptr<Link> link) {
  links_.insert(link);
  ++open_;
  ++opened_;
  boost::system::error_code error;
  link->server.connect(asio::local::stream_protocol::endpoint(target_), error);
  asio::co_spawn(loop_, pump(link, link->server, link->client), asio::detached);
  co_await pump(link, link->client, link->server);
  links_.erase(link);
  if (link->silent) --silent_;
  --open_;
}

asio::awaitable<void> Relay::pump(std::shared_ptr<Link> link, Stream::socket& from, Stream::socket& to) {
  std::array<char, 65536> bytes;
  constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
  for (;;) {
    auto [error, count] = co_await from.async_read_some(asio::buffer(bytes), kToken);
    if (error) break;
    if (link->silent) continue;
    while (hanging_) co_await restored_.async_wait(kToken);
    auto [failure, written] = co_await asio::async_write(to, asio::buffer(bytes.data(), count), kToken);
    if (failure) break;
  }
  link->close();
}

}  // namespace api::test
