#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {

/// One configuration for a process and its successors.
struct Place {
  Folder folder;
  std::string socket = folder.path("handover.sock");
  Settings settings(const std::string& more = {}) const {
    Settings settings;
    settings.more = "log: {format: json, access: off}\nhandover: " + socket + "\n" + more;
    return settings;
  }
};

inline bool await_takeover(const Proxy& next) {
  return next.await_log("taken over from process ");
}

/// Whether a process accepts connections by TCP.
inline bool listens(pid_t process) {
  std::set<std::string> listening;  // inodes
  for (const char* const table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream sockets(table);
    for (std::string line; std::getline(sockets, line);) {
      std::istringstream words(line);
      const std::vector<std::string> word{std::istream_iterator<std::string>(words), {}};
      if (word.size() > 9 && word[3] == "0A") listening.insert("socket:[" + word[9] + "]");
    }
  }
  std::error_code ignored;
  for (const auto& each : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd", ignored)) {
    if (listening.contains(std::filesystem::read_symlink(each.path(), ignored))) return true;
  }
  return false;
}

/// Until `next` serves, and new connections come to nobody else.
inline bool await_takeover(const Proxy& next, const Proxy& old) {
  return await_takeover(next) && eventually([&] { return !listens(old.pid()); });
}

/// Waits until the old process has ended by itself.
inline void check_ended(Proxy& old) {
  const int status = old.wait();
  INFO(old.log());
  CHECK(status == 0);
}

}  // namespace spillway::test
