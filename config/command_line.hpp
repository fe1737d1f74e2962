#pragma once

#include <deque>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "config/write.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace config {

// Exit statuses of both programs.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailure = 1;  ///< invalid configuration or failure while running
inline constexpr int kExitUsage = 2;    ///< wrong command line

struct ProgramInfo {
  std::string name;
  std::string description;
  std::string version;
  std::string default_config;  ///< path
};

/// The options both programs share: --config, --check-config [--format=json], --print-config[=effective|defaults],
/// --print-schema, --version, --help. A program adds its own to `app()` before `parse`:
///
///     config::CommandLine line({"spillway", "…", kVersion, "config/proxy.yaml"}, std::cout, std::cerr);
///     CLI::App* healthcheck = line.app().add_subcommand("healthcheck", "…");
///     if (auto status = line.parse(argc, argv)) return *status;
///     if (*healthcheck) return …;
///     ProxyConfig configuration;
///     if (auto status = line.load(kProxyDefinition, configuration)) return *status;
class CommandLine {
 public:
  CommandLine(ProgramInfo program, std::ostream& out, std::ostream& err);
  ~CommandLine();

  CLI::App& app() { return *app_; }

  /// Adds `--set key.path=value`, which may be given more than once and wins over the file.
  void add_set();
  /// Adds an option that is short for `--set path=value`. `replaces_file`: with it the program reads a file only if
  /// one is named, and runs by defaults else: the default file may be of something else that lies in the same folder.
  void add_shortcut(const std::string& option, const std::string& type, std::string path, const std::string& doc,
                    bool replaces_file = false);

  /// Returns an exit status if the program must end: after --help, --version or wrong usage.
  std::optional<int> parse(int argc, const char* const* argv);

  /// The exit status after what was asked for has been printed: a full disk is a failure, and told.
  int written() const;

  const std::string& config_path() const { return config_path_; }
  /// `--config` has been given.
  bool config_named() const;
  /// What to read for a reload. Call it after `parse`.
  const Origin& origin() const { return origin_; }

  /// Handles --check-config and --print-…, and then returns an exit status. Otherwise fills `config` and returns
  /// nothing.
  template <class Config>
  std::optional<int> load(const Definition<Config>& definition, Config& config) {
    config = {};
    return answer([&](Fields& f) { definition.describe(f, config); },
                  [&](Problems& problems) { definition.check(config, problems); });
  }
  /// The references that `load` has read.
  const References& references() const { return references_; }

 private:
  enum class Ask { run, check, print_effective, print_defaults, print_schema, print_reference, print_man };

  struct Shortcut {
    std::string option, path;
    bool replaces_file = false;
    std::string value;
    CLI::Option* given = nullptr;
  };

  Ask ask() const;
  /// Fills `origin_`; false, with a message, if an option is malformed.
  bool find_origin();
  std::optional<int> answer(const Describe& describe, const std::function<void(Problems&)>& check);

  ProgramInfo program_;
  std::ostream& out_;
  std::ostream& err_;
  std::unique_ptr<CLI::App> app_;
  std::string config_path_;
  CLI::Option* config_option_ = nullptr;
  std::deque<Shortcut> shortcuts_;  ///< a deque, because options refer to `value`
  std::vector<std::string> set_;
  Origin origin_;
  References references_;
  bool check_ = false;
  std::string format_ = "text";
  std::string print_;
  bool print_schema_ = false;
  bool print_reference_ = false;
  bool print_man_ = false;
};

}  // namespace config
