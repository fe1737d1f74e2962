#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <sys/types.h>

#include "tests/integration/proxy/upstream.hpp"
#include "tests/support/process.hpp"

namespace spillway::test {

/// A configuration: each text is the inside of a flow mapping, such as `max_concurrent: 8, shed_at: 1`.
struct Settings {
  int workers = 1;
  std::string health = "interval: 200ms, timeout: 200ms";
  std::string upstream = {}, timeouts = {}, limits = {}, admission = {};
  std::string listen = "127.0.0.1:0";  ///< the first address must be TCP
  std::string more = {};               ///< further keys, in block style
  int inherited = -1;                  ///< a listening socket, passed as systemd passes it
  int descriptors = 0;                 ///< soft limit of descriptors; 0: that of the tests
  int descriptors_hard = 0;            ///< hard limit of descriptors; 0: `descriptors`
  std::string address = {};            ///< in place of the upstream's
  std::map<std::string, std::string> environment = {};
  std::string awaited = "admitting ";  ///< the log line that ends the start
};

/// The path of the program.
std::string program();

/// Admission of `count` requests in flight, of any class.
std::string admit(int count);

/// A running spillway in front of an upstream. The destructor stops it and checks for exit status 0; after a finding of
/// a sanitizer the status is another.
class Proxy {
 public:
  using Labels = std::initializer_list<std::pair<std::string, std::string>>;

  explicit Proxy(const Upstream& upstream, const Settings& settings = {});
  /// With this configuration, unchanged. Its first listener must be TCP.
  explicit Proxy(const std::string& config);
  ~Proxy();
  Proxy(const Proxy&) = delete;

  int port() const { return port_; }
  /// Whether its port accepts connections.
  bool listens() const { return Wire::tcp(port_).descriptor() >= 0; }
  int admin_port() const { return admin_port_; }
  pid_t pid() const { return process_->pid(); }

  /// SIGTERM, and the exit status; 128 + N when signal N ended it, -1 when it still runs after `kPatience`.
  int stop() { return process_->stop(); }
  int wait() { return process_->wait(); }
  void signal(int number) const { process_->signal(number); }
  /// Rewrites the configuration. SIGHUP applies it.
  void configure(const Settings& settings);
  void configure_badly(const std::string& text);
  /// A path in the folder of its configuration, `proxy.yaml`.
  std::string path(const std::string& name) const { return folder_.path(name); }

  /// Everything written to standard output so far.
  std::string log() const { return process_->log(); }
  /// Stops reading standard output until `resume_log`.
  void pause_log() { process_->pause_log(); }
  void resume_log() { process_->resume_log(); }
  bool await_log(const std::string& text) const { return process_->await_log(text); }

  /// A connection to the admin listener.
  class Client admin() const;
  /// Status and body of an admin page.
  std::pair<int, std::string> page(const std::string& path) const;
  /// Sum of the series of this name that have these labels; NaN when there is none.
  double metric(const std::string& name, Labels labels = {}) const;
  bool await_metric(const std::string& name, double value, Labels labels = {}) const;
  /// A number of /stats.
  double stat(const std::string& name) const;
  /// Waits until each parsed request has been answered or aborted once, and counted once.
  bool accounts_balance() const;
  /// Resident memory, in bytes.
  std::size_t memory() const;
  /// Open descriptors.
  int descriptors() const;
  /// Lowers its soft limit of descriptors.
  void limit_descriptors(int count) const;
  /// The exit status of `spillway healthcheck`.
  int healthcheck() const;

 private:
  void start(const Settings& settings);
  void await_start(const std::string& line);
  int port_in_log(const std::string& before) const;

  Folder folder_;
  std::string upstream_;
  std::unique_ptr<support::Process> process_;
  int port_ = 0, admin_port_ = 0;
};

}  // namespace spillway::test
