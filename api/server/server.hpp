#pragma once

#include <memory>
#include <string>
#include <vector>

#include <boost/asio.hpp>

#include "api/config/config.hpp"
#include "api/db/pool.hpp"
#include "api/endpoints/services.hpp"
#include "api/server/client_connection.hpp"
#include "api/server/worker.hpp"
#include "proxy/net/listener.hpp"
#include "proxy/net/signals.hpp"

namespace api {

/// The program without its command line: connects the parts, runs the workers, and reloads and drains on signals.
class Server {
 public:
  /// `config_path` is read again on SIGHUP. `shared` and `signals` must outlive it.
  /// `sockets`: of each address one for each worker. `admin`: the same for the admin listener, which may have none.
  Server(ApiConfig config, db::ConnectOptions options, std::vector<std::vector<net::ListenSocket>> sockets,
         std::vector<std::vector<net::ListenSocket>> admin, std::string config_path, Shared& shared,
         net::Signals& signals);
  ~Server();

  /// Serves until a signal and the end of the drain. False: the database has refused the user, the password or the
  /// database at the start.
  bool run();

 private:
  void drain();
  void reload();
  void replace_secrets(const AuthConfig& config);
  net::Task<> check_database();

  /// An event loop whose coroutines can be destroyed before the objects that they use.
  struct Loop : net::asio::io_context {
    using net::asio::io_context::io_context;
    using net::asio::io_context::shutdown;
  };

  const ApiConfig config_;
  const std::string config_path_;
  const std::vector<std::string> addresses_;        ///< where it listens
  const std::vector<std::string> admin_addresses_;  ///< empty: there is no admin listener
  Shared& shared_;
  net::Signals& signals_;
  // The order matters: the event loops are destroyed last.
  std::vector<std::unique_ptr<Loop>> contexts_;
  std::unique_ptr<db::Pool> pool_;
  std::unique_ptr<Services> services_;
  Shared admin_shared_;
  std::vector<std::unique_ptr<Worker>> workers_;  ///< the last one is that of the admin listener, if there is any
  std::atomic<int> working_{0};
  bool failed_ = false;
};

/// Logs why the process ends by force, and that `in_flight` requests are dropped. The exit status.
int end_by_force(net::Signals::Forced why, int in_flight);

db::PoolSettings pool_settings(const DatabaseConfig& config);

}  // namespace api
