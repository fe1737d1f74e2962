#include "tests/integration/api/program.hpp"

#include <cstdint>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

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
  process_ = std::make_unique<support::Process>(support::Command{
      .arguments = arguments, .environment = start.env, .in_child = start.in_child, .log_stderr = true});
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

void Program::await_ready() const {
  const bool ready = eventually([&] { return Client(port_).request("GET", "/ready").status == 200; });
  INFO(log());
  REQUIRE(ready);
}

std::chrono::nanoseconds Program::cpu_time() const {
  std::int64_t sum = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid()) + "/task")) {
    std::int64_t on_processor = 0;
    std::ifstream(thread.path() / "schedstat") >> on_processor;
    sum += on_processor;
  }
  return std::chrono::nanoseconds(sum);
}

void Program::rewrite_config(const std::string& config) const {
  std::ofstream(folder_.path("api.yaml")) << completed(config);
}

}  // namespace api::test
