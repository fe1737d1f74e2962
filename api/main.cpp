#include <cstdlib>
#include <functional>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>
#include <pwd.h>
#include <sodium.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "api/auth/passwords.hpp"
#include "api/config/config.hpp"
#include "api/db/connect_options.hpp"
#include "api/endpoints/field.hpp"
#include "api/endpoints/metrics.hpp"
#include "api/schema/schema.hpp"
#include "api/server/access_log.hpp"
#include "api/server/descriptors.hpp"
#include "api/server/log.hpp"
#include "api/server/request.hpp"
#include "api/server/server.hpp"
#include "api/users/password_input.hpp"
#include "api/users/users.hpp"
#include "config/command_line.hpp"
#include "proxy/net/descriptors.hpp"
#include "proxy/net/listener.hpp"
#include "proxy/net/signals.hpp"
#include "proxy/net/standard_streams.hpp"
#include "proxy/text/utf8.hpp"
#include "proxy/tracing/exporter.hpp"

namespace {

/// Enough for a search to rank many results.
constexpr int kDemoScholarships = 10'000;
constexpr int kMaxDemoScholarships = 10'000'000;

int fail(const std::string& message) {
  std::cerr << "scholarship-api: " << message << '\n';
  return config::kExitFailure;
}

/// Who runs this command, for the audit log.
std::string actor() {
  const passwd* user = ::getpwuid(::getuid());
  return user ? user->pw_name : "uid " + std::to_string(::getuid());
}

/// `scholarship-api user …`: adds its subcommands, and runs the one that was given.
class UserCommand {
 public:
  explicit UserCommand(CLI::App& app) : user_(app.add_subcommand("user", "List or change the users, then exit")) {
    user_->require_subcommand(1);
    list_ = user_->add_subcommand("list", "Names, states, and times of the last logins");
    add(
        "add", "Add a user. The password is asked for, or is the first line of stdin", "user_added",
        [this](auto& options) { return api::users::add(options, name_, password_, std::cerr); }, true);
    add(
        "password", "Set the password of a user, and end the user's tokens", "user_password_set",
        [this](auto& options) { return api::users::set_password(options, name_, password_, std::cerr); }, true);
    add("disable", "Refuse logins of a user, and end the user's tokens", "user_disabled",
        [this](auto& options) { return api::users::disable(options, name_, std::cerr); });
    add("enable", "Accept logins of a user again", "user_enabled",
        [this](auto& options) { return api::users::enable(options, name_, std::cerr); });
    add("delete", "Delete a user", "user_deleted",
        [this](auto& options) { return api::users::remove(options, name_, std::cerr); });
  }

  bool given() const { return user_->parsed(); }

  /// The exit status. A change is told as a line of the audit log.
  int run(const api::db::ConnectOptions& options) {
    if (list_->parsed()) return exit_status(api::users::list(options, std::cout, std::cerr));
    for (const Change& change : changes_) {
      if (!change.command->parsed()) continue;
      if (const std::string fault = api::fault_of_text(name_, api::kMaxTextCharacters); !fault.empty()) {
        return fail("NAME " + fault);
      }
      if (change.needs_password && !ask_password()) return config::kExitFailure;
      if (!change.make(options)) return config::kExitFailure;
      api::print_line(api::LogLevel::info, api::change_members(change.event, name_, actor(), api::make_request_id()));
    }
    return config::kExitOk;
  }

 private:
  struct Change {
    CLI::App* command;
    std::string_view event;
    std::function<bool(const api::db::ConnectOptions&)> make;
    bool needs_password;
  };

  static int exit_status(bool good) { return good ? config::kExitOk : config::kExitFailure; }

  void add(const char* name, const char* doc, std::string_view event,
           std::function<bool(const api::db::ConnectOptions&)> make, bool needs_password = false) {
    CLI::App* command = user_->add_subcommand(name, doc);
    command->add_option("NAME", name_, "The user's name")->required();
    changes_.push_back({command, event, std::move(make), needs_password});
  }

  bool ask_password() {
    std::string fault;
    if (!api::users::read_password(password_, fault)) {
      fail(fault);
      return false;
    }
    fault = api::fault_of_text(password_, api::users::kMaxPasswordCharacters);
    if (fault.empty() && text::count_characters(password_) < api::users::kMinPasswordCharacters) {
      fault = "must have at least " + std::to_string(api::users::kMinPasswordCharacters) + " characters";
    }
    if (!fault.empty()) fail("the password " + fault);
    return fault.empty();
  }

  CLI::App* user_;
  CLI::App* list_ = nullptr;
  std::vector<Change> changes_;
  std::string name_, password_;
};

}  // namespace

int main(int argc, char** argv) {
  net::open_standard_streams();
  config::CommandLine line(
      {"scholarship-api", "The scholarship API and its database pool.", API_VERSION, "config/api.yaml"}, std::cout,
      std::cerr);
  line.app().fallthrough();  // inherited by the subcommands: options are accepted after them, too
  bool print_metrics = false;
  line.app().add_flag("--print-metrics", print_metrics, "Print every metric: name, type, labels, help");
  CLI::App* migrate = line.app().add_subcommand("migrate", "Update the tables of the database, then exit");
  CLI::App* seed = line.app().add_subcommand("seed-demo", "Add demo scholarships and a demo user, then exit.");
  int scholarships = kDemoScholarships;
  seed->add_option("--scholarships", scholarships, "How many, unless there are any already.")
      ->check(CLI::Range(1, kMaxDemoScholarships))
      ->capture_default_str();
  UserCommand user(line.app());
  CLI::App* secret = line.app().add_subcommand("secret", "Secrets of tokens");
  CLI::App* new_secret = secret->add_subcommand("new", "Print a new one for auth.secrets, then exit");
  secret->require_subcommand(1);
  line.app().require_subcommand(0, 1);
  if (auto status = line.parse(argc, argv)) return *status;

  if (print_metrics) {
    api::print_metrics(std::cout);
    return config::kExitOk;
  }
  if (*new_secret) {
    std::cout << api::auth::make_secret() << '\n';
    return config::kExitOk;
  }
  api::ApiConfig config;
  if (auto status = line.load(api::kApiDefinition, config)) return *status;
  if (sodium_init() < 0) return fail("libsodium does not work here");

  api::db::ConnectOptions options;
  std::string error;
  // A migration may take longer than a query of the API.
  const bool serves = !*migrate && !*seed && !user.given();
  const api::db::ConnectPolicy policy{config.database.connect_timeout,
                                      serves ? config.database.statement_timeout : api::Duration::zero(),
                                      config.database.prepared_statements, config.database.ping_timeout};
  const bool own_url = !serves && !config.database.migrate_url.empty();
  const std::string& url = own_url ? config.database.migrate_url : config.database.url;
  if (!api::db::parse_connect_options(url, policy, options, error)) {
    return fail((own_url ? "database.migrate_url: " : "database.url: ") + error);
  }
  if (user.given()) return user.run(options);
  if (*migrate) return api::schema::migrate(options, std::cout, std::cerr) ? config::kExitOk : config::kExitFailure;
  if (*seed) {
    return api::schema::seed_demo(options, scholarships, std::cout, std::cerr) ? config::kExitOk : config::kExitFailure;
  }

  const std::vector<config::Listen> inherited = net::given_by_systemd();
  const config::Listen listen = inherited.empty() ? config::Listen{.address = config.listen} : inherited.front();
  auto sockets = net::open_all_listeners(listen, config.workers, error, net::TcpQueue::shared);
  if (sockets.empty()) return fail(error);
  std::vector<std::vector<net::ListenSocket>> admin;
  if (config::Listen where; !config.admin.listen.empty() && parse(config.admin.listen, where.address)) {
    admin = net::open_all_listeners(where, 1, error, net::TcpQueue::shared);
    if (admin.empty()) return fail("admin.listen: " + error);
  }
  const int descriptors = net::raise_descriptor_limit();
  const int capacity = api::pool_settings(config.database).capacity();
  const int wanted = config.limits.connections;
  api::Shared shared;
  shared.max_connections = api::clients_that_fit(descriptors, wanted, capacity, config.workers);
  if (shared.max_connections < 1) {
    return fail("the limit of " + std::to_string(descriptors) + " open descriptors is too low for " +
                std::to_string(capacity) + " database connections and a client: raise it (ulimit -n, LimitNOFILE)");
  }
  const auto exporter = tracing::Exporter::make(
      config.tracing, "scholarship-api", API_VERSION,
      [](bool failed, const std::string& news) { failed ? spdlog::warn("{}", news) : spdlog::info("{}", news); },
      error);
  if (!error.empty()) return fail(error);
  // Install the signal handlers before the first log line and before any thread, and keep them until the end.
  net::Signals signals(config.timeouts.drain);
  api::start_log(config.log.level);
  if (shared.max_connections < wanted) {
    spdlog::warn("limits.connections is {}, but the limit of {} open descriptors leaves room for {} connections only",
                 wanted, descriptors, shared.max_connections);
  }
  if (exporter) {
    shared.spans = &exporter->queue();
    exporter->start();
  }
  bool good = false;
  {
    api::Server server(std::move(config), std::move(options), std::move(sockets), std::move(admin), line.config_path(),
                       shared, signals);
    good = server.run();
  }
  if (exporter) exporter->stop();
  const int status = good ? config::kExitOk : config::kExitFailure;
  if (!api::stop_log()) std::_Exit(status);
  return status;
}
