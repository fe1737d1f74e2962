#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "tests/support/eventually.hpp"
#include "tests/support/folder.hpp"
#include "tests/support/process.hpp"

namespace api::test {

using support::eventually;
using support::Folder;
using support::kPatience;

struct Start {
  std::string config;                      ///< YAML; `listen` and `auth.secret` are added when they are not there
  std::vector<std::string> arguments;      ///< after --config FILE
  std::map<std::string, std::string> env;  ///< added to the environment
  std::function<void()> in_child;          ///< just before exec
};

/// A running scholarship-api. Killed at the end if it still runs.
class Program {
 public:
  explicit Program(const Start& start);
  /// Starts it with this configuration, and waits until it listens.
  explicit Program(const std::string& config);

  /// Waits until it has reached the database.
  void await_ready() const;
  int port() const { return port_; }
  pid_t pid() const { return process_->pid(); }
  /// Processor time of all its threads since the start.
  std::chrono::nanoseconds cpu_time() const;
  /// Everything written so far, to stdout and stderr.
  std::string log() const { return process_->log(); }
  bool await_log(const std::string& text) const { return process_->await_log(text); }
  void signal(int number) const { process_->signal(number); }
  /// SIGTERM, and the exit status.
  int stop() { return process_->stop(); }
  /// The exit status; 128 + N after signal N; -1 when it still runs after kPatience.
  int wait() { return process_->wait(); }
  void rewrite_config(const std::string& config) const;

 private:
  Folder folder_;
  std::unique_ptr<support::Process> process_;
  int port_ = 0;
};

}  // namespace api::test
