#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace support {

struct Command {
  std::vector<std::string> arguments;              ///< the first one is the path of the program
  std::map<std::string, std::string> environment;  ///< added to the environment of the test
  std::function<void()> in_child;                  ///< called just before exec
  bool log_stderr = false;                         ///< the log gets standard error, too
};

/// A child process, and all that it has written. The destructor kills it if it still runs.
class Process {
 public:
  explicit Process(const Command& command);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0; }  ///< not waited for yet
  void signal(int number) const;
  /// Sends SIGTERM and waits.
  int stop();
  /// The exit status; 128 + N after signal N; -1 if the process still runs after `kPatience`. The log is complete then.
  int wait();

  std::string log() const;
  /// Waits until the log holds `text`. False: the process has ended, or `kPatience` is over.
  bool await_log(const std::string& text) const;
  /// Leaves the output of the process in its pipe until `resume_log`.
  void pause_log() { log_paused_ = true; }
  void resume_log() { log_paused_ = false; }

 private:
  void read_log(int descriptor);

  pid_t pid_ = -1;
  std::atomic<bool> log_paused_{false}, log_ended_{false};
  mutable std::mutex mutex_;
  std::string log_;
  std::thread reader_;
};

}  // namespace support
