#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/telemetry/metrics.hpp"

namespace spillway::telemetry::test {

constexpr std::size_t at(Outcome outcome) {
  return static_cast<std::size_t>(outcome);
}
constexpr std::size_t at(admission::Reason reason) {
  return static_cast<std::size_t>(reason);
}

/// A scrape, read as Prometheus reads it: `name{labels}` to value, and `# TYPE` lines.
struct Scrape {
  explicit Scrape(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      if (line.starts_with("# TYPE ")) {
        const std::size_t space = line.rfind(' ');
        const bool once = types.emplace(line.substr(7, space - 7), line.substr(space + 1)).second;
        CHECK(once);
      } else if (line.starts_with("# HELP ")) {
        CHECK(line.find(' ', 7) < line.size() - 1);
      } else {
        const std::size_t space = line.rfind(' ');
        REQUIRE(space != std::string::npos);
        std::size_t used = 0;
        const double value = std::stod(line.substr(space + 1), &used);
        CHECK(used == line.size() - space - 1);
        const bool once = series.emplace(line.substr(0, space), value).second;
        CHECK(once);
        order.push_back(line.substr(0, space));
      }
    }
    CHECK(text.ends_with('\n'));
  }
  double value(const std::string& name) const {
    CAPTURE(name);
    REQUIRE(series.contains(name));
    return series.at(name);
  }
  std::map<std::string, double> series;
  std::map<std::string, std::string> types;
  std::vector<std::string> order;
};

/// Two workers, three classes, and the rest of the process.
struct Process {
  std::vector<std::string> names{"normal", "critical", "background"};
  WorkerCounters first{3}, second{3};
  ProcessState state;
  AdmissionState admission;
  std::uint64_t dropped = 0;
  ProcessUse use;
  Metrics metrics{{{&first, &second},
                   &names,
                   [this] { return admission; },
                   [this] { return dropped; },
                   &state,
                   "1.2",
                   [this] { return use; }}};

  Scrape scrape() const { return Scrape(metrics.text()); }
};

}  // namespace spillway::telemetry::test
