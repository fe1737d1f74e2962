#include "proxy/admin/commands.hpp"

#include <csignal>
#include <ostream>

#include "config/command_line.hpp"
#include "proxy/upstream/health.hpp"

namespace spillway::admin {
namespace {

struct Reply {
  int status = config::kExitFailure;  ///< for the shell
  std::string text;                   ///< the page, or what went wrong
};

Reply usage(std::string text) {
  return {config::kExitUsage, std::move(text)};
}

/// Asks as health polls do: every address in turn, `patience` for the look-up and for the answer.
Reply ask(const Target& target, const char* path, Duration patience) {
  constexpr std::string_view kSecure = "https://";
  const bool secure = target.address.starts_with(kSecure);
  config::Address address;
  if (!parse(std::string_view(target.address).substr(secure ? kSecure.size() : 0), address)) {
    return usage("--admin: no address (host:port, [v6]:port or unix:/path; https:// before it for TLS)");
  }
  std::shared_ptr<const tls::ClientContext> context;
  if (secure) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    std::vector<tls::Fault> faults;
    context = tls::ClientContext::make(
        {.server_name = {}, .ca = {}, .verify = false, .certificate = target.certificate, .key = target.key},
        std::chrono::system_clock::now(), faults);
    if (!context) return usage("--" + faults.front().key + ": " + faults.front().text);
  }
  upstream::Addresses addresses(address);
  if (!addresses.start(patience, patience, {})) return {config::kExitFailure, "cannot resolve " + address.host};
  HealthConfig config;
  config.path = path;
  config.expect = "200-299";
  config.timeout = patience;
  upstream::HealthResult result;
  net::asio::io_context loop;
  upstream::HealthPoller poller(loop, addresses, config, context, [&](const upstream::HealthResult& answer) {
    result = answer;
    loop.stop();
  });
  poller.start();
  loop.run();
  if (result.healthy) return {config::kExitOk, result.body};
  return {config::kExitFailure, result.text};
}

}  // namespace

std::optional<std::string> address_of(const config::Listen& listen) {
  using config::Address;
  Address address = listen.address;
  if (address.kind == Address::Kind::descriptor) return std::nullopt;
  if (address.kind == Address::Kind::tcp) {  // who listens at every address listens at this one
    if (address.host.empty() || address.host == "0.0.0.0") address.host = "127.0.0.1";
    if (address.host == "::") address.host = "::1";
  }
  return (listen.tls.enabled() ? "https://" : "") + to_text(address);
}

int healthcheck(const Target& target, std::ostream& err) {
  const Reply reply = ask(target, "/ready", std::chrono::seconds(2));
  if (reply.status != config::kExitOk) err << "not ready: " << target.address << ": " << reply.text << '\n';
  return reply.status;
}

int advise(const Target& target, std::ostream& out, std::ostream& err) {
  const Reply reply = ask(target, "/advice", std::chrono::seconds(5));
  const bool advised = reply.status == config::kExitOk;
  advised ? out << reply.text : err << "no advice from " << target.address << ": " << reply.text << '\n';
  return reply.status;
}

}  // namespace spillway::admin
