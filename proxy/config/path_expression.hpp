#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace spillway {

/// A regular expression for whole paths, in the syntax of RE2: the time to match is linear in the path, whatever the
/// expression. Bytes are matched, not characters of UTF-8; `.` matches any byte. Immutable; safe from any thread, but
/// copies share a lock.
class PathExpression {
 public:
  /// Longest expression in bytes.
  static constexpr std::size_t kMaxText = 1000;
  /// Longest program in instructions; an expression that needs more is invalid. Should the automaton not fit, each byte
  /// of a path costs a step for each of them: some milliseconds for the longest path.
  static constexpr int kMaxProgram = 1000;
  /// Memory of one expression at most: program, and the automaton that is built while matching and dropped when full.
  static constexpr std::int64_t kMemory = std::int64_t{256} * 1024;
  /// Expressions of a configuration at most. With `kMemory` each this bounds what a worker holds for them.
  static constexpr std::size_t kMaxExpressions = 64;

  explicit PathExpression(std::string_view text);
  /// Why the expression is invalid, in one line; empty if it is valid.
  std::string fault() const;
  /// Whether the whole path matches. Requires a valid expression.
  bool matches(std::string_view path) const;

 private:
  std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace spillway
