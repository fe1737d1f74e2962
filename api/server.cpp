#include "api/server.hpp"

#include <csignal>
#include <cstdlib>
#include <thread>

#include <spdlog/spdlog.h>

#include "api/log.hpp"
#include "config/load.hpp"

namespace api {

namespace {

/// Told to asio: one thread runs each loop.
constexpr int kOneThread = 1;

std::vector<std::unique_ptr<asio::io_context>> make_contexts(int count) {
  std::vector<std::unique_ptr<asio::io_context>> contexts;
  for (int i = 0; i < count; ++i) contexts.push_back(std::make_unique<asio::io_context>(kOneThread));
  return contexts;
}

std::vector<Executor> executors(const std::vector<std::unique_ptr<asio::io_context>>& contexts) {
  std::vector<Executor> result;
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

Server::Server(ApiConfig config, db::ConnectOptions options, Listener listener, std::string config_path)
    : config_(std::move(config)),
      config_path_(std::move(config_path)),
      listener_(std::move(listener)),
      contexts_(make_contexts(config_.workers)),
      pool_(std::make_unique<db::Pool>(executors(contexts_), std::move(options), pool_settings(config_.database),
                                       config_.database.echo_pool)),
      services_(std::make_unique<Services>(config_, *pool_)),
      signals_(*contexts_.front(), SIGTERM, SIGINT, SIGHUP),
      drain_timer_(contexts_.front()->get_executor()) {
  shared_.access = config_.log.access;
  for (int home = 0; home < config_.workers; ++home) {
    workers_.push_back(std::make_unique<Worker>(
        config_, shared_, *services_, *contexts_[static_cast<std::size_t>(home)], home, listener_.descriptor()));
  }
}

Server::~Server() = default;

void Server::run() {
  await_signal();
  pool_->start();
  asio::co_spawn(contexts_.front()->get_executor(), check_server(), asio::detached);
  for (auto& worker : workers_) worker->start();
  spdlog::info("listening on {}", listener_.where());

  std::vector<std::jthread> threads;
  for (std::size_t i = 1; i < contexts_.size(); ++i) threads.emplace_back([this, i] { contexts_[i]->run(); });
  contexts_.front()->run();
}

void Server::await_signal() {
  signals_.async_wait([this](boost::system::error_code error, int signal) {
    if (error) return;
    if (signal == SIGHUP) {
      reload();
    } else if (shared_.draining) {
      spdlog::warn("second signal, ending at once");
      stop_log();
      std::_Exit(EXIT_FAILURE);
    } else {
      drain();
    }
    await_signal();
  });
}

void Server::drain() {
  spdlog::info("draining");
  shared_.draining = true;
  working_ = config_.workers;
  for (auto& worker : workers_) {
    worker->drain([this] {
      if (--working_ > 0) return;
      pool_->close();
      for (auto& context : contexts_) context->stop();
    });
  }
  drain_timer_.expires_after(config_.timeouts.drain);
  drain_timer_.async_wait([this](boost::system::error_code error) {
    if (error) return;
    spdlog::warn("drain time is over, {} requests are dropped", shared_.in_flight.load());
    stop_log();
    std::_Exit(EXIT_SUCCESS);
  });
}

/// Takes over what can change while running; the rest waits for a restart.
void Server::reload() {
  const auto loaded = config::load_file(config_path_, kApiDefinition);
  if (!loaded.ok()) {
    for (const config::Error& error : loaded.errors) spdlog::error("reload refused: {}", config::to_text(error));
    return;
  }
  const ApiConfig& fresh = loaded.config;
  pool_->configure(pool_settings(fresh.database), fresh.database.echo_pool);
  shared_.access = fresh.log.access;
  set_log_level(fresh.log.level);
  spdlog::info("reloaded: pool_size {}, max_overflow {}, pool_timeout {} ms", fresh.database.pool_size,
               fresh.database.max_overflow,
               std::chrono::duration_cast<std::chrono::milliseconds>(fresh.database.pool_timeout).count());
}

/// A pool larger than what the server admits fails only under load; say so before.
Awaitable<> Server::check_server() {
  Interrupt never;
  Answer answer;
  do {
    answer = co_await services_->repository.server_limits({0, never});
  } while (answer.trouble == Trouble::unreachable || answer.trouble == Trouble::lost);
  if (answer.trouble != Trouble::none) co_return;
  const ServerLimits limits = Repository::server_limits(answer);
  const int usable = limits.max_connections - limits.reserved;
  const int capacity = pool_settings(config_.database).capacity();
  if (capacity > usable) {
    spdlog::warn("the pool may open {} connections, but the server admits {} ({} of max_connections = {} are reserved)",
                 capacity, usable, limits.reserved, limits.max_connections);
  }
}

}  // namespace api
