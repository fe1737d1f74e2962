#include <cstdlib>
#include <iostream>

#include <CLI/CLI.hpp>
#include <sodium.h>
#include <spdlog/spdlog.h>

#include "api/config/config.hpp"
#include "api/db/connect_options.hpp"
#include "api/schema/schema.hpp"
#include "api/server/descriptors.hpp"
#include "api/server/log.hpp"
#include "api/server/server.hpp"
#include "config/command_line.hpp"
#include "proxy/net/descriptors.hpp"
#include "proxy/net/listener.hpp"
#include "proxy/net/signals.hpp"

namespace {

/// Enough for a search to rank many results.
constexpr int kDemoScholarships = 10'000;
constexpr int kMaxDemoScholarships = 10'000'000;

int fail(const std::string& message) {
  std::cerr << "scholarship-api: " << message << '\n';
  return config::kExitFailure;
}

}  // namespace

int main(int argc, char** argv) {
  config::CommandLine line(
      {"scholarship-api", "The scholarship API and its database pool.", API_VERSION, "config/api.yaml"}, std::cout,
      std::cerr);
  CLI::App* migrate = line.app().add_subcommand("migrate", "Update the tables of the database, then exit");
  CLI::App* seed = line.app().add_subcommand("seed-demo", "Add demo scholarships and a demo user, then exit.");
  int scholarships = kDemoScholarships;
  seed->add_option("--scholarships", scholarships, "How many, unless there are any already.")
      ->check(CLI::Range(1, kMaxDemoScholarships))
      ->capture_default_str();
  line.app().fallthrough();
  line.app().require_subcommand(0, 1);
  if (auto status = line.parse(argc, argv)) return *status;

  api::ApiConfig config;
  if (auto status = line.load(api::kApiDefinition, config)) return *status;
  if (sodium_init() < 0) return fail("libsodium does not work here");

  api::db::ConnectOptions options;
  std::string error;
  // A migration may take longer than a query of the API.
  const bool serves = !*migrate && !*seed;
  const api::db::ConnectPolicy policy{config.database.connect_timeout,
                                      serves ? config.database.statement_timeout : api::Duration::zero(),
                                      config.database.prepared_statements, config.database.ping_timeout};
  if (!api::db::parse_connect_options(config.database.url, policy, options, error)) {
    return fail("database.url: " + error);
  }
  if (*migrate) return api::schema::migrate(options, std::cout, std::cerr) ? config::kExitOk : config::kExitFailure;
  if (*seed) {
    return api::schema::seed_demo(options, scholarships, std::cout, std::cerr) ? config::kExitOk : config::kExitFailure;
  }

  const std::vector<config::Listen> inherited = net::given_by_systemd();
  const config::Listen listen = inherited.empty() ? config::Listen{.address = config.listen} : inherited.front();
  auto sockets = net::open_all_listeners(listen, config.workers, error, net::TcpQueue::shared);
  if (sockets.empty()) return fail(error);
  const int descriptors = net::raise_descriptor_limit();
  const int capacity = api::pool_settings(config.database).capacity();
  const int wanted = config.limits.connections;
  api::Shared shared;
  shared.max_connections = api::clients_that_fit(descriptors, wanted, capacity, config.workers);
  if (shared.max_connections < 1) {
    return fail("the limit of " + std::to_string(descriptors) + " open descriptors is too low for " +
                std::to_string(capacity) + " database connections and a client: raise it (ulimit -n, LimitNOFILE)");
  }
  // Install the signal handlers before the first log line and before any thread, and keep them until the end.
  net::Signals signals(config.timeouts.drain);
  api::start_log(config.log.level);
  if (shared.max_connections < wanted) {
    spdlog::warn("limits.connections is {}, but the limit of {} open descriptors leaves room for {} connections only",
                 wanted, descriptors, shared.max_connections);
  }
  bool good = false;
  {
    api::Server server(std::move(config), std::move(options), std::move(sockets), line.config_path(), shared, signals);
    good = server.run();
  }
  const int status = good ? config::kExitOk : config::kExitFailure;
  if (!api::stop_log()) std::_Exit(status);
  return status;
}
