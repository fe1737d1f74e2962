#include "tests/integration/api/program.hpp"

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/integration/api/client.hpp"

namespace api::test {

namespace {

constexpr const char* kSecret = "for-tests-only-for-tests-only-0123456789";

std::string completed(const std::string& config) {
  std::string text = config;
  if (text.find("listen:") == std::string::npos) text += "\nlisten: 127.0.0.1:0\n";
  if (text.find("auth:") == std::string::npos) text.append("\nauth: {secret: ").append(kSecret).append("}\n");
  return text;
}

}  // namespace

Program::Program(const Start& start) {
  rewrite_config(start.config);
  std::vector<std::string> arguments{SCHOLARSHIP_API, "--config", folder_.path("api.yaml")};
  arguments.insert(arguments.end(), start.arguments.begin(), start.arguments.end());
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const std::string log_path = folder_.path("log");
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    const int log_file = ::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(log_file, STDOUT_FILENO);
    ::dup2(log_file, STDERR_FILENO);
    for (const auto& [name, value] : start.env) ::setenv(name.c_str(), value.c_str(), 1);
    if (start.in_child) start.in_child();
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
}

Program::Program(const std::string& config) : Program(Start{config, {}, {}, {}}) {
  const std::string mark = "listening on ";
  const bool listening = await_log(mark);
  INFO(log());
  REQUIRE(listening);
  const std::string text = log();
  const std::size_t from = text.find(mark) + mark.size();
  const std::string where = text.substr(from, text.find('"', from) - from);
  if (!where.starts_with("unix:")) port_ = std::stoi(where.substr(where.rfind(':') + 1));
}

Program::~Program() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

void Program::await_ready() const {
  const bool ready = eventually([&] { return Client(port_).request("GET", "/ready").status == 200; });
  INFO(log());
  REQUIRE(ready);
}

std::chrono::nanoseconds Program::cpu_time() const {
  std::int64_t sum = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task")) {
    std::int64_t on_processor = 0;
    std::ifstream(thread.path() / "schedstat") >> on_processor;
    sum += on_processor;
  }
  return std::chrono::nanoseconds(sum);
}

std::string Program::log() const {
  std::ifstream file(folder_.path("log"));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

bool Program::await_log(const std::string& text) const {
  return eventually([&] { return log().find(text) != std::string::npos; });
}

void Program::signal(int number) const {
  ::kill(pid_, number);
}

int Program::stop() {
  signal(SIGTERM);
  return wait();
}

int Program::wait() {
  int status = 0;
  if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; })) return -1;
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void Program::rewrite_config(const std::string& config) const {
  std::ofstream(folder_.path("api.yaml")) << completed(config);
}

}  // namespace api::test
