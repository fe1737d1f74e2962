#include "api/server/server.hpp"

#include <cstdlib>
#include <ctime>
#include <thread>

#include <spdlog/spdlog.h>
#include <systemd/sd-daemon.h>

#include "api/endpoints/brown_out.hpp"
#include "api/endpoints/database_check.hpp"
#include "api/schema/schema.hpp"
#include "api/server/access_log.hpp"
#include "api/server/log.hpp"
#include "api/server/request.hpp"
#include "api/server/routes.hpp"
#include "config/load.hpp"
#include "config/restart.hpp"
#include "proxy/net/spawn.hpp"

namespace api {

namespace {

/// The hint for Asio that one thread runs each loop: it then needs no locks.
constexpr int kOneThread = 1;
/// Of the admin listener: a few scrapers, probes and people.
constexpr int kAdminConnections = 64;

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

std::vector<std::string> names(const std::vector<std::vector<net::ListenSocket>>& sockets) {
  std::vector<std::string> result;
  for (const auto& each : sockets) result.push_back(net::local_name(each.front()));
  return result;
}

/// The sockets of one worker, one of each address.
std::vector<net::ListenSocket> take(std::vector<std::vector<net::ListenSocket>>& sockets, std::size_t worker) {
  std::vector<net::ListenSocket> own;
  for (auto& each : sockets) own.push_back(std::move(each[worker]));
  return own;
}

}  // namespace

int end_by_force(net::Signals::Forced why, int in_flight) {
  constexpr std::chrono::milliseconds kLastLine{100};
  const bool told_twice = why == net::Signals::Forced::second_signal;
  if (told_twice) {
    spdlog::warn("second signal, ending at once");
  } else {
    spdlog::warn("drain time is over, {} requests are dropped", in_flight);
  }
  flush_log(kLastLine);
  return told_twice ? EXIT_FAILURE : EXIT_SUCCESS;
}

db::PoolSettings pool_settings(const DatabaseConfig& config) {
  db::PoolSettings settings;
  settings.size = config.pool_size;
  settings.max_overflow = config.max_overflow;
  settings.timeout = config.pool_timeout;
  settings.recycle = config.pool_recycle;
  settings.pre_ping = config.pool_pre_ping;
  settings.wait_when_down = config.wait_when_down;
  return settings;
}

Server::Server(ApiConfig config, db::ConnectOptions options, std::vector<std::vector<net::ListenSocket>> sockets,
               std::vector<std::vector<net::ListenSocket>> admin, std::string config_path, Shared& shared,
               net::Signals& signals)
    : config_(std::move(config)),
      config_path_(std::move(config_path)),
      addresses_(names(sockets)),
      admin_addresses_(names(admin)),
      shared_(shared),
      signals_(signals),
      contexts_(make_contexts<Loop>(config_.workers)),
      pool_(std::make_unique<db::Pool>(executors(contexts_), std::move(options), pool_settings(config_.database),
                                       config_.database.echo_pool)),
      services_(std::make_unique<Services>(config_, *pool_)) {
  shared_.access = config_.log.access;
  shared_.sample_ratio = config_.tracing.sample_ratio;
  services_->spans = shared_.spans;
  services_->metrics.configured(std::time(nullptr), false);
  for (int home = 0; home < config_.workers; ++home) {
    const auto index = static_cast<std::size_t>(home);
    workers_.push_back(std::make_unique<Worker>(config_, shared_, *services_, *contexts_[index], home,
                                                take(sockets, index), routes()));
  }
  admin_shared_.max_connections = kAdminConnections;
  admin_shared_.access = AccessLog::off;
  if (!admin.empty()) {
    workers_.push_back(std::make_unique<Worker>(config_, admin_shared_, *services_, *contexts_.front(), 0,
                                                take(admin, 0), admin_routes()));
  }
}

/// Coroutines that are no requests (the check of the database, the opening of a connection) may still hold a lease.
/// Destroy them while the pool lives.
Server::~Server() {
  for (auto& context : contexts_) context->shutdown();
}

bool Server::run() {
  signals_.start(
      {.drain = [this] { net::asio::post(*contexts_.front(), [this] { drain(); }); },
       .reload = [this] { net::asio::post(*contexts_.front(), [this] { reload(); }); },
       .end = [&shared = shared_](net::Signals::Forced why) { return end_by_force(why, shared.in_flight); }});
  // Start the check before the pool: it then waits for the first connection. Between two attempts to connect it would
  // be shown as a waiting request.
  net::spawn_vital(contexts_.front()->get_executor(), check_database(), "checking the database");
  pool_->start();
  for (auto& worker : workers_) worker->start();
  for (const std::string& address : addresses_) spdlog::info("listening on {}", address);
  for (const std::string& address : admin_addresses_) spdlog::info("metrics at {}", address);
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
  admin_shared_.draining = true;
  working_ = static_cast<int>(workers_.size());
  for (auto& worker : workers_) {
    worker->drain([this] {
      if (--working_ > 0) return;
      pool_->close();
      for (auto& context : contexts_) context->stop();
    });
  }
}

/// Applies the keys that can change at run time. The others take effect at the next start.
void Server::reload() {
  auto loaded = config::load_file({config_path_}, kApiDefinition);
  if (!loaded.ok()) {
    for (const config::Error& error : loaded.errors) spdlog::error("reload refused: {}", config::to_text(error));
    services_->metrics.reload_refused();
    return;
  }
  const auto waiting = config::keep_until_restart(config_, loaded.config, kApiDefinition);
  for (const std::string& key : waiting) spdlog::warn("{} has changed: takes effect at the next start", key);
  const ApiConfig& fresh = loaded.config;
  pool_->configure(pool_settings(fresh.database), fresh.database.echo_pool);
  replace_secrets(fresh.auth);
  services_->degrade_from = degrade_from(fresh.degrade_at);
  shared_.access = fresh.log.access;
  shared_.sample_ratio = fresh.tracing.sample_ratio;
  set_log_level(fresh.log.level);
  services_->metrics.configured(std::time(nullptr), !waiting.empty());
  spdlog::info("reloaded: pool_size {}, max_overflow {}, pool_timeout {} ms", fresh.database.pool_size,
               fresh.database.max_overflow,
               std::chrono::duration_cast<std::chrono::milliseconds>(fresh.database.pool_timeout).count());
}

void Server::replace_secrets(const AuthConfig& config) {
  std::vector<auth::Secret> secrets = Services::secrets(config);
  std::string kids;
  for (const auth::Secret& each : secrets) {
    kids += (kids.empty() ? "" : ", ") + (each.kid.empty() ? "(without a name)" : each.kid);
  }
  if (!services_->tokens.replace(std::move(secrets))) return;
  log_line(LogLevel::info, change_members("secrets_changed", "", "", make_request_id()));
  spdlog::info("secrets of tokens: {}; the first signs", kids);
}

net::Task<> Server::check_database() {
  const int needed = schema::migrations().back().version;
  const bool usable = co_await endpoints::check_database(*services_, contexts_.front()->get_executor(), needed);
  if (usable) co_return;
  failed_ = true;
  signals_.drain();
}

}  // namespace api
