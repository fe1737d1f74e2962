#include <csignal>
#include <iostream>

#include <CLI/CLI.hpp>
#include <sodium.h>

#include "api/server/config.hpp"
#include "api/db/connect_options.hpp"
#include "api/server/listener.hpp"
#include "api/server/log.hpp"
#include "api/schema/schema.hpp"
#include "api/server/server.hpp"
#include "config/command_line.hpp"

namespace {

/// Enough for a search to have something to rank.
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
  CLI::App* migrate = line.app().add_subcommand("migrate", "Bring the database's tables up to date, then exit.");
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
  const api::db::ConnectPolicy policy{config.database.connect_timeout, config.database.statement_timeout,
                                      config.database.prepared_statements};
  if (!api::db::parse_connect_options(config.database.url, policy, options, error)) {
    return fail("database.url: " + error);
  }
  if (*migrate) return api::schema::migrate(options, std::cout, std::cerr) ? config::kExitOk : config::kExitFailure;
  if (*seed) {
    return api::schema::seed_demo(options, scholarships, std::cout, std::cerr) ? config::kExitOk : config::kExitFailure;
  }

  api::Listener listener;
  if (!listener.open(config.listen, error)) return fail(error);
  std::signal(SIGPIPE, SIG_IGN);
  api::start_log(config.log.level);
  bool good = false;
  {
    api::Server server(std::move(config), std::move(options), std::move(listener), line.config_path());
    good = server.run();
  }
  api::stop_log();
  return good ? config::kExitOk : config::kExitFailure;
}
