#include "config/substitute.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>
#include <unistd.h>

#include "tests/unit/config/sample.hpp"

namespace {

std::string substituted(std::string_view text) {
  std::size_t budget = config::kMaxSubstitutedBytes;
  const config::Substituted result = config::substitute(text, budget);
  return result.error.empty() ? result.text : "error: " + result.error;
}

/// A file for one test.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view content)
      : path_(std::filesystem::temp_directory_path() / ("spillway_config_" + std::to_string(::getpid()))) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

TEST_CASE("environment variables are substituted in a scalar") {
  ::setenv("SPILLWAY_TEST", "value", 1);
  ::setenv("SPILLWAY_TEST_EMPTY", "", 1);
  ::unsetenv("SPILLWAY_TEST_NONE");
  struct Row {
    std::string_view text;
    std::string_view result;
  };
  for (const Row& row : {
           Row{"${env:SPILLWAY_TEST}", "value"},
           Row{"<${env:SPILLWAY_TEST}${env:SPILLWAY_TEST}>", "<valuevalue>"},
           Row{"${env:SPILLWAY_TEST:-other}", "value"},
           Row{"${env:SPILLWAY_TEST_NONE:-other}", "other"},
           Row{"${env:SPILLWAY_TEST_NONE:-}", ""},
           Row{"${env:SPILLWAY_TEST_EMPTY:-other}", "other"},
           Row{"${env:SPILLWAY_TEST_EMPTY}", ""},
           Row{"$ {} $x }", "$ {} $x }"},
           Row{"$${env:SPILLWAY_TEST}", "${env:SPILLWAY_TEST}"},
           Row{"a$${b", "a${b"},
           Row{"${env:SPILLWAY_TEST_NONE}", "error: environment variable SPILLWAY_TEST_NONE is not set"},
           Row{"${env:}", "error: '' cannot be the name of an environment variable"},
           Row{"${env:A-B}", "error: 'A-B' cannot be the name of an environment variable"},
           Row{"${env:1A:-x}", "error: '1A' cannot be the name of an environment variable"},
           Row{"${env:A:-${env:B}}", "error: a substitution within a substitution"},
           Row{"${HOME}", "error: '${HOME}' is neither ${env:NAME} nor ${file:/path}; write $${ for a literal ${"},
           Row{"x ${env:A", "error: '${' without its '}'; write $${ for a literal ${"},
           Row{"${file:relative}", "error: ${file:relative} must name an absolute path"},
           Row{"${file:/nonexistent/x}", "error: /nonexistent/x: No such file or directory"},
           Row{"${file:/tmp}", "error: /tmp: not a regular file"},
           Row{"${file:/dev/zero}", "error: /dev/zero: not a regular file"},
       }) {
    CAPTURE(row.text);
    CHECK(substituted(row.text) == row.result);
  }
}

TEST_CASE("a substituted text is not substituted again and cannot become structure") {
  ::setenv("SPILLWAY_TEST", "${env:SPILLWAY_TEST}", 1);
  CHECK(substituted("${env:SPILLWAY_TEST}") == "${env:SPILLWAY_TEST}");
  ::setenv("SPILLWAY_TEST", "x, workers: 9}", 1);
  const auto loaded = sample::load("{title: '${env:SPILLWAY_TEST}'}");
  CHECK(loaded.ok());
  CHECK(loaded.config.title == "x, workers: 9}");
  CHECK(loaded.config.workers == 2);
}

TEST_CASE("a file is substituted without its last line break") {
  for (const auto& [content, expected] :
       {std::pair{"secret\n", "secret"}, {"secret\r\n", "secret"}, {"a\n\n", "a\n"}, {"x", "x"}, {"", ""}}) {
    const TemporaryFile file(content);
    CHECK(substituted("${file:" + file.path() + "}") == expected);
  }
}

TEST_CASE("files are limited in size, each and all together") {
  const TemporaryFile file(std::string(config::kMaxSubstituteFileBytes, 'x'));
  const std::string reference = "${file:" + file.path() + "}";
  std::size_t budget = config::kMaxSubstituteFileBytes;
  CHECK(config::substitute(reference, budget).error.empty());
  CHECK(budget == 0);
  CHECK(config::substitute(reference, budget).error == "too much text through substitutions");
  const TemporaryFile longer(std::string(config::kMaxSubstituteFileBytes + 1, 'x'));
  CHECK(substituted("${file:" + longer.path() + "}") == "error: " + longer.path() + ": longer than 65536 bytes");
}

TEST_CASE("any scalar may be substituted, and errors name its place") {
  ::setenv("SPILLWAY_TEST", "12", 1);
  CHECK(sample::load("workers: ${env:SPILLWAY_TEST}").config.workers == 12);
  ::setenv("SPILLWAY_TEST", "many", 1);
  CHECK(sample::errors_of("workers: ${env:SPILLWAY_TEST}") ==
        "test.yaml:1:10: workers: must be an integer from 1 to 64, not what ${env:SPILLWAY_TEST} stands for");
  ::unsetenv("SPILLWAY_TEST");
  CHECK(sample::errors_of("bounds:\n  low: ${env:SPILLWAY_TEST}") ==
        "test.yaml:2:8: bounds.low: environment variable SPILLWAY_TEST is not set");
}

TEST_CASE("a substituted text never appears in an error") {
  const TemporaryFile file("hunter2");
  CHECK(sample::errors_of("workers: ${file:" + file.path() + "}") ==
        "test.yaml:1:10: workers: must be an integer from 1 to 64, not what ${file:" + file.path() + "} stands for");
  ::setenv("SPILLWAY_TEST", "hunter2", 1);
  for (const char* yaml : {"workers: '${env:SPILLWAY_TEST}'", "mode: 'x${env:SPILLWAY_TEST}'",
                           "listen: ['${env:SPILLWAY_TEST}', b:2]", "listen: '${env:SPILLWAY_TEST}'",
                           "password: '${env:SPILLWAY_TEST:-s}${env:SPILLWAY_TEST:-s}${env:SPILLWAY_TEST:-s}\\n'"}) {
    CAPTURE(yaml);
    CHECK(sample::errors_of(yaml).find("hunter") == std::string::npos);
  }
}

TEST_CASE("substitution undoes escaping") {
  for (const char* text : {"", "plain", "${", "$${", "a${env:X}b${", "$$$${x}"}) {
    CHECK(substituted(config::escape_substitution(text)) == text);
  }
}

}  // namespace
