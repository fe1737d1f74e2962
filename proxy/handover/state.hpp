#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/admission/controller.hpp"
#include "proxy/telemetry/history.hpp"

namespace spillway::handover {

/// What a process has learned, as its successor gets it.
struct State {
  admission::Learned admission;
  std::vector<std::string> class_names;  ///< by class index: of `offered_of` and `refused_of` in the history
  std::vector<telemetry::History::Sample> history;
  bool api_healthy = false;
  std::uint64_t connection_errors = 0;  ///< of its database, of which the API has told
};

/// The version of the state that this program writes. Members are only added: a reader skips those that it does not
/// know, and those that are missing have their defaults. So both an upgrade and a roll-back keep what was learned.
inline constexpr int kVersion = 1;

std::string to_json(const State& state);
/// Accepts it whole or not at all: a value of another type or out of its range discredits the rest. Nothing, and one
/// line in `error`, then.
std::optional<State> parse_state(std::string_view json, std::string& error);

/// Puts the history's columns of classes into the order of `names`. Classes that it does not know are at 0.
void order_classes(State& state, const std::vector<std::string>& names);

/// A listening socket that passes to the successor.
struct Listening {
  enum class Use : std::uint8_t { traffic, admin, handover };
  Use use = Use::traffic;
  std::string address = {};  ///< as the configuration has it
  int entry = 0;             ///< of `listen`
  int group = 0;             ///< sockets of a group have one address, and the kernel shares connections out among them
  bool inherited = false;    ///< a drain must not shut it: another process goes on with it
  bool systemd = false;      ///< it replaces what the configuration names

  bool operator==(const Listening&) const = default;
};
std::string to_json(const Listening& listening);
std::optional<Listening> parse_listening(std::string_view json);

/// What a predecessor needs, see `relay::Gate`.
struct Needs {
  int requests = 0, streams = 0;
  bool operator==(const Needs&) const = default;
};
std::string to_json(const Needs& needs);
std::optional<Needs> parse_needs(std::string_view json);

/// The process that a `hello` is from. The kernel knows only who has begun to listen, which may be a process before. 0:
/// it does not say.
int parse_pid(std::string_view json);

}  // namespace spillway::handover
