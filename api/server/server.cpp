#include "api/server/server.hpp"

#include <thread>

#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include "api/schema/schema.hpp"
#include "api/server/log.hpp"
#include "config/load.hpp"
#include "config/restart.hpp"
#include "proxy/net/spawn.hpp"

namespace api {

namespace {

/// Told to asio: one thread runs each loop.
constexpr int kOneThread = 1;
/// While the tables are missing or the database is away.
constexpr Duration kCheckInterval = std::chrono::milliseconds(250);

template <class Loop>
std::vector<std::unique_ptr<Loop>> make_contexts(int count) {
  std::vector<std::unique_ptr<Loop>> contexts;
  for (int i = 0; i < count; ++i) contexts.push_back(std::make_unique<Loop>(kOneThread));
  return contexts;
}

template <class Loop>
std::vector<net::Executor> executors(const std::vector<std::unique_ptr<Loop>>& contexts) {
  std::vector<net::Executor> result;
  for (const auto& context : contexts) result.push_back(context->get_executor());
  return result;
}

}  // namespace

db::PoolSettings pool_settings(const DatabaseConfig& config) {
  db::PoolSettings settings;
  settings.size = config.pool_size;
  settings.max_overflow = config.max_overflow;
  settings.timeout = config.pool_timeout;
  settings.recycle = config.pool_recycle;
  settings.pre_ping = config.pool_pre_ping;
  return settings;
}

Server::Server(ApiConfig config, db::ConnectOptions options, Listener listener, std::string config_path, Shared& shared,
               Signals& signals)
    : config_(std::move(config)),
      config_path_(std::move(config_path)),
      listener_(std::move(listener)),
      shared_(shared),
      signals_(signals),
      contexts_(make_contexts<Loop>(config_.workers)),
      pool_(std::make_unique<db::Pool>(executors(contexts_), std::move(options), pool_settings(config_.database),
                                       config_.database.echo_pool)),
      services_(std::make_unique<Services>(config_, *pool_)) {
  shared_.access = config_.log.access;
  for (int home = 0; home < config_.workers; ++home) {
    workers_.push_back(std::make_unique<Worker>(
        config_, shared_, *services_, *contexts_[static_cast<std::size_t>(home)], home, listener_.descriptor()));
  }
}

/// What was under way besides requests (the check of the database, the opening of a connection) may hold a lease.
Server::~Server() {
  for (auto& context : contexts_) context->shutdown();
}

bool Server::run() {
  signals_.start({.drain = [this] { net::asio::post(*contexts_.front(), [this] { drain(); }); },
                  .reload = [this] { net::asio::post(*contexts_.front(), [this] { reload(); }); }});
  // The check first: it then asks while the first connection is being opened, and not between attempts, where it would
  // count as a request that waits for a connection.
  net::spawn_vital(contexts_.front()->get_executor(), check_database(), "checking the database");
  pool_->start();
  for (auto& worker : workers_) worker->start();
  spdlog::info("listening on {}", listener_.where());
  ::sd_notify(0, "READY=1");

  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < contexts_.size(); ++i) threads.emplace_back([this, i] { contexts_[i]->run(); });
  contexts_.front()->run();
  return !failed_;
}

void Server::drain() {
  spdlog::info("draining");
  ::sd_notify(0, "STOPPING=1");
  shared_.draining = true;
  listener_.close();
  working_ = config_.workers;
  for (auto& worker : workers_) {
    worker->drain([this] {
      if (--working_ > 0) return;
      pool_->close();
      for (auto& context : contexts_) context->stop();
    });
  }
}

/// Takes over what can change while running; the rest waits for a restart.
void Server::reload() {
  auto loaded = config::load_file(config_path_, kApiDefinition, config::Reading::again);
  if (!loaded.ok()) {
    for (const config::Error& error : loaded.errors) spdlog::error("reload refused: {}", config::to_text(error));
    return;
  }
  for (const std::string& key : config::keep_until_restart(config_, loaded.config, kApiDefinition)) {
    spdlog::warn("{} has changed: takes effect at the next start", key);
  }
  const ApiConfig& fresh = loaded.config;
  pool_->configure(pool_settings(fresh.database), fresh.database.echo_pool);
  shared_.access = fresh.log.access;
  set_log_level(fresh.log.level);
  spdlog::info("reloaded: pool_size {}, max_overflow {}, pool_timeout {} ms", fresh.database.pool_size,
               fresh.database.max_overflow,
               std::chrono::duration_cast<std::chrono::milliseconds>(fresh.database.pool_timeout).count());
}

/// Asks the database whether this program can work with it, until it can; /ready says no until then.
net::Task<> Server::check_database() {
  Interrupt never;
  net::Timer pause(contexts_.front()->get_executor());
  const int needed = schema::migrations().back().version;
  int reported = 0;
  for (bool first = true;; first = false) {
    const Answer answer = co_await services_->repository.server_state({0, never}, needed);
    if (answer.trouble == Trouble::closing) co_return;
    // A server that says no will say so again; one that is not there may come.
    if (first && pool_->refused()) {
      spdlog::error("the database refuses: {}", pool_->last_error());
      failed_ = true;
      signals_.drain();
      co_return;
    }
    // A database that is being set up has no table of migrations yet, or too few of them. One that a newer program has
    // migrated has more, and will do: migrations stay compatible with the program before.
    const ServerState state = answer.trouble == Trouble::none ? Repository::server_state(answer) : ServerState();
    const bool answered = answer.trouble == Trouble::none || answer.trouble == Trouble::no_schema;
    if (answered && state.missing_migration == 0) {
      warn_if_too_small(state);
      break;
    }
    if (answered && state.missing_migration != reported) {
      services_->missing_migration = reported = state.missing_migration;
      spdlog::warn(
          "migration {} is missing, this program needs all up to {} (the tables are at version {}): run "
          "scholarship-api migrate",
          reported, needed, state.schema_version);
    }
    // The pool tries by itself.
    do {
      pause.expires_after(kCheckInterval);
      co_await pause.async_wait(net::kAwait);
    } while (!pool_->gauges().reachable);
  }
  services_->checked = true;
}

/// A pool larger than what the server admits fails only under load; say so before.
void Server::warn_if_too_small(const ServerState& state) const {
  const int admitted = state.max_connections - state.reserved;
  const int capacity = pool_settings(config_.database).capacity();
  if (capacity <= admitted) return;
  spdlog::warn("the pool may open {} connections, but the server admits {} ({} of max_connections = {} are reserved)",
               capacity, admitted, state.reserved, state.max_connections);
}

}  // namespace api
