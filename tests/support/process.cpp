#include "tests/support/process.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/eventually.hpp"

namespace support {

Process::Process(const Command& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  int output[2];
  REQUIRE(::pipe2(output, O_CLOEXEC) == 0);
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ::dup2(output[1], STDOUT_FILENO);
    if (command.log_stderr) ::dup2(output[1], STDERR_FILENO);
    for (const auto& [name, value] : command.environment) ::setenv(name.c_str(), value.c_str(), 1);
    if (command.in_child) command.in_child();
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(output[1]);
  reader_ = std::thread([this, descriptor = output[0]] { read_log(descriptor); });
}

Process::~Process() {
  if (running()) {
    signal(SIGKILL);
    wait();
  }
  resume_log();
  reader_.join();
}

void Process::read_log(int descriptor) {
  char piece[64 * 1024];
  ssize_t got;
  while ((got = ::read(descriptor, piece, sizeof piece)) > 0) {
    while (log_paused_) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    const std::lock_guard lock(mutex_);
    log_.append(piece, static_cast<std::size_t>(got));
  }
  ::close(descriptor);
  log_ended_ = true;
}

void Process::signal(int number) const {
  ::kill(pid_, number);
}

int Process::stop() {
  signal(SIGTERM);
  return wait();
}

int Process::wait() {
  int status = 0;
  if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
  pid_ = -1;
  eventually([this] { return log_ended_ || log_paused_; });
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string Process::log() const {
  const std::lock_guard lock(mutex_);
  return log_;
}

bool Process::await_log(const std::string& text) const {
  const auto has_text = [&] { return log().find(text) != std::string::npos; };
  eventually([&] { return has_text() || log_ended_; });
  return has_text();
}

}  // namespace support
