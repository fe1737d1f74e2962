#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/address.hpp"
#include "config/load.hpp"
#include "config/write.hpp"

/// A small program's configuration with one field of each kind.
namespace sample {

using namespace std::chrono_literals;

enum class Mode : std::uint8_t { on, off };

struct Route {
  std::string name;
  std::optional<std::string> note;
  int weight = 1;
};

struct Config {
  std::vector<config::Address> listen = {config::Address::tcp("127.0.0.1", 80)};
  std::vector<config::Address> peers;
  int workers = 2;
  bool verbose = false;
  double ratio = 0.5;
  config::Duration wait = 5s;
  std::uint64_t buffer = 16 * 1024;
  Mode mode = Mode::on;
  std::string title = "hello";
  std::string password = "unset";
  struct {
    int low = 1;
    int high = 9;
  } bounds;
  std::vector<Route> routes;
};

inline void describe(config::Fields& f, Config& c) {
  f.one_or_more({.name = "listen", .doc = "Where to serve.", .needs_restart = true}, c.listen, 2);
  f.values({"peers", "Others."}, c.peers, {0, 2});
  f.integer({"workers", "Threads."}, c.workers, {1, 64});
  f.flag({"verbose", "More | less."}, c.verbose);
  f.number({"ratio", "A share."}, c.ratio, {0, 1});
  f.duration({"wait", "A time. 0: none."}, c.wait, {0s, 1h});
  f.size({"buffer", "Bytes."}, c.buffer, {1024, 1024 * 1024});
  f.choice({"mode", "A choice."}, c.mode, {{"on", Mode::on}, {"off", Mode::off}});
  f.text({"title", "A text."}, c.title, {1, 100});
  f.text({.name = "password", .doc = "A secret.", .secret = true}, c.password, {3, 100});
  f.section({"bounds", "Two numbers."}, [&] {
    f.integer({"low", "The lower."}, c.bounds.low, {0, 100});
    f.integer({"high", "The higher."}, c.bounds.high, {0, 100});
  });
  f.sections({"routes", "Some routes."}, c.routes, {0, 3}, [&f](Route& route) {
    f.text({.name = "name", .doc = "Its name.", .required = true}, route.name);
    f.optional_text({"note", "Optional."}, route.note);
    f.integer({"weight", "Its weight."}, route.weight, {1, 10});
  });
}

inline void check(const Config& c, config::Problems& problems) {
  problems.require(c.bounds.low <= c.bounds.high, {"bounds.low", "bounds.high"},
                   "bounds.low must not exceed bounds.high");
}

inline constexpr config::Definition<Config> kDefinition{describe, check};

inline config::Loaded<Config> load(std::string_view yaml) {
  return config::load_text({"test.yaml", std::string(yaml)}, kDefinition);
}

/// All errors, a line each.
inline std::string errors_of(std::string_view yaml) {
  std::string lines;
  for (const config::Error& error : load(yaml).errors) lines += (lines.empty() ? "" : "\n") + to_text(error);
  return lines;
}

}  // namespace sample
