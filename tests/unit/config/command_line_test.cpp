#include "config/command_line.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/unit/config/sample.hpp"

namespace {

/// A run of a program that only reads its configuration.
struct Run {
  std::optional<int> status;  ///< nothing: the program would continue
  std::string out;
  std::string err;
  sample::Config config;
};

Run run(std::vector<const char*> arguments) {
  std::ostringstream out;
  std::ostringstream err;
  Run result;
  arguments.insert(arguments.begin(), "sample");
  config::CommandLine line({"sample", "A sample.", "1.2.3", "/nonexistent/default.yaml"}, out, err);
  result.status = line.parse(static_cast<int>(arguments.size()), arguments.data());
  if (!result.status) result.status = line.load(sample::kDefinition, result.config);
  result.out = out.str();
  result.err = err.str();
  return result;
}

class Files {
 public:
  Files() {
    std::ofstream(good) << "workers: 7\npassword: hunter2\n";
    std::ofstream(bad) << "workers: x\nwait: y\n";
  }
  ~Files() {
    std::filesystem::remove(good);
    std::filesystem::remove(bad);
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  const std::string base = std::filesystem::temp_directory_path() / ("spillway_cli_" + std::to_string(::getpid()));
  const std::string good = base + "_good.yaml";
  const std::string bad = base + "_bad.yaml";
};

TEST_CASE("output that cannot be written is a failure") {
  const Files files;
  for (const std::vector<const char*>& asked : {std::vector<const char*>{"--print-config"},
                                                {"--print-config=defaults"},
                                                {"--print-schema"},
                                                {"--help"},
                                                {"--check-config"},
                                                {"--check-config", "--format", "json"}}) {
    CAPTURE(asked.front());
    std::vector<const char*> arguments{"sample", "--config", files.good.c_str()};
    arguments.insert(arguments.end(), asked.begin(), asked.end());
    std::ofstream full("/dev/full");
    std::ostringstream err;
    config::CommandLine line({"sample", "A sample.", "1.2.3", "/nonexistent/default.yaml"}, full, err);
    std::optional<int> status = line.parse(static_cast<int>(arguments.size()), arguments.data());
    sample::Config config;
    if (!status) status = line.load(sample::kDefinition, config);
    CHECK(status == config::kExitFailure);
    CHECK(err.str() == "sample: cannot write to standard output\n");
  }
}

TEST_CASE("without options that print, the program runs with its configuration") {
  const Files files;
  const Run good = run({"--config", files.good.c_str()});
  CHECK(!good.status);
  CHECK(good.config.workers == 7);
  CHECK(good.out.empty());
  CHECK(good.err.empty());
}

TEST_CASE("an invalid configuration is reported in full, and the status is 1") {
  const Files files;
  const Run bad = run({"--config", files.bad.c_str()});
  CHECK(bad.status == 1);
  CHECK(bad.out.empty());
  CHECK(bad.err == files.bad + ":1:10: workers: must be an integer from 1 to 64, not 'x'\n" + files.bad +
                       ":2:7: wait: must be a duration from 0s to 1h, not 'y'\n");
  const Run missing = run({});
  CHECK(missing.status == 1);
  CHECK(missing.err == "/nonexistent/default.yaml:1:1: cannot be read: No such file or directory\n");
}

TEST_CASE("--check-config only checks") {
  const Files files;
  const Run good = run({"--config", files.good.c_str(), "--check-config"});
  CHECK(good.status == 0);
  CHECK(good.out == files.good + ": ok\n");
  const Run bad = run({"--config", files.bad.c_str(), "--check-config"});
  CHECK(bad.status == 1);
  CHECK(bad.err.find("workers: must be") != std::string::npos);

  const Run good_json = run({"--config", files.good.c_str(), "--check-config", "--format=json"});
  CHECK(good_json.status == 0);
  CHECK(good_json.out == "{\"valid\": true, \"errors\": [], \"warnings\": []}\n");
  const Run bad_json = run({"--config", files.bad.c_str(), "--check-config", "--format=json"});
  CHECK(bad_json.status == 1);
  CHECK(bad_json.out.find("\"path\": \"workers\"") != std::string::npos);
  CHECK(bad_json.err.empty());
}

TEST_CASE("--print-config prints what is in effect, or the defaults, and no secret") {
  const Files files;
  for (const char* option : {"--print-config", "--print-config=effective"}) {
    const Run effective = run({"--config", files.good.c_str(), option});
    CHECK(effective.status == 0);
    CHECK(effective.out.find("workers: 7\n") != std::string::npos);
    CHECK(effective.out.find("hunter2") == std::string::npos);
  }
  const Run defaults = run({"--config", files.bad.c_str(), "--print-config=defaults"});
  CHECK(defaults.status == 0);
  CHECK(defaults.out == config::to_yaml(sample::Config{}, sample::kDefinition));
  CHECK(run({"--config", files.bad.c_str(), "--print-config"}).status == 1);
}

Run run_with_flags(std::vector<const char*> arguments, const char* default_config = "/nonexistent/default.yaml") {
  std::ostringstream out;
  std::ostringstream err;
  Run result;
  arguments.insert(arguments.begin(), "sample");
  config::CommandLine line({"sample", "A sample.", "1.2.3", default_config}, out, err);
  line.add_shortcut("--peer", "ADDRESS", "listen", "An address.", true);
  line.add_shortcut("--threads", "N", "workers", "Threads.");
  line.add_set();
  result.status = line.parse(static_cast<int>(arguments.size()), arguments.data());
  if (!result.status) result.status = line.load(sample::kDefinition, result.config);
  result.out = out.str();
  result.err = err.str();
  return result;
}

TEST_CASE("one line runs without a file, by defaults and its flags") {
  const Files files;
  const Run alone = run_with_flags({"--peer", "a:1", "--threads", "5", "--set", "bounds.low=3", "--set=ratio=0.1"});
  CHECK(!alone.status);
  CHECK(alone.config.listen == std::vector{config::Address::tcp("a", 1)});
  CHECK(alone.config.workers == 5);
  CHECK(alone.config.bounds.low == 3);
  CHECK(alone.config.ratio == 0.1);
  CHECK(run_with_flags({"--peer", "a:1", "--print-config"}).out.find("listen: a:1\n") != std::string::npos);

  // A flag that does not replace the file needs it, and a file that is named must exist.
  CHECK(run_with_flags({"--threads", "5"}).err ==
        "/nonexistent/default.yaml:1:1: cannot be read: No such file or directory\n");
  CHECK(run_with_flags({"--peer", "a:1", "--config", "/nonexistent/x.yaml"}).status == 1);
  // The default file is not read, even if it exists. One that is named is, and the flags win over it.
  CHECK(run_with_flags({"--peer", "a:1"}, files.good.c_str()).config.workers == sample::Config{}.workers);
  CHECK(!run_with_flags({"--threads", "5"}, files.good.c_str()).status);
  const Run over = run_with_flags({"--peer", "a:1", "--config", files.good.c_str()});
  CHECK(over.config.workers == 7);
  CHECK(over.config.listen == std::vector{config::Address::tcp("a", 1)});
  CHECK(run_with_flags({"--config", files.good.c_str(), "--threads", "8"}).config.workers == 8);

  CHECK(run_with_flags({"--peer", "x"}).err.starts_with("--peer: listen: must be an address"));
  CHECK(run_with_flags({"--peer", "a:1", "--set", "workers"}).status == 2);
  const Run doubtful = run_with_flags({"--peer", "a:1", "--set", "wait=1500", "--check-config"});
  CHECK(doubtful.status == 0);
  CHECK(doubtful.out == "command line: ok\n");
  CHECK(doubtful.err == "--set: wait: warning: 1500 is 25 minutes; write 1500ms or 1500s\n");
}

TEST_CASE("schema, reference, version and help need no file") {
  CHECK(run({"--print-schema"}).out == config::to_schema(sample::kDefinition, "sample configuration"));
  CHECK(run({"--print-reference"}).out == config::to_reference(sample::kDefinition, "sample configuration"));
  const Run version = run({"--version"});
  CHECK(version.status == 0);
  CHECK(version.out == "sample 1.2.3\n");
  const Run help = run({"--help"});
  CHECK(help.status == 0);
  for (const char* option :
       {"--config", "--check-config", "--format", "--print-config", "--print-schema", "--version"}) {
    CHECK(help.out.find(option) != std::string::npos);
  }
  CHECK(help.out.find("--print-reference") == std::string::npos);
}

TEST_CASE("a wrong command line ends with status 2 and a message on standard error") {
  for (const auto& arguments : std::vector<std::vector<const char*>>{{"--nonsense"},
                                                                     {"stray"},
                                                                     {"--config"},
                                                                     {"--print-config=all"},
                                                                     {"--check-config", "--format=xml"},
                                                                     {"--format=json"}}) {
    CAPTURE(arguments.front());
    const Run usage = run(arguments);
    CHECK(usage.status == 2);
    CHECK(!usage.err.empty());
    CHECK(usage.out.empty());
  }
}

TEST_CASE("what is not understood is quoted without the user and password of a URL") {
  const Run usage = run({"postgresql://u:hun@ter2@host/x"});
  CHECK(usage.status == 2);
  CHECK(usage.err.find("ter2") == std::string::npos);
  CHECK(usage.err.find("postgresql://…@host/x") != std::string::npos);
}

}  // namespace
