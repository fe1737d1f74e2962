#include "proxy/config/path_expression.hpp"

#include <re2/re2.h>

namespace spillway {
namespace {

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

re2::RE2::Options options() {
  re2::RE2::Options options(re2::RE2::CannedOptions::Latin1);
  options.set_max_mem(PathExpression::kMemory);
  options.set_dot_nl(true);
  options.set_never_capture(true);
  options.set_log_errors(false);
  return options;
}

}  // namespace

PathExpression::PathExpression(std::string_view text)
    : compiled_(std::make_shared<const re2::RE2>(piece(text), options())) {}

std::string PathExpression::fault() const {
  if (!compiled_->ok()) return compiled_->error();
  const int size = compiled_->ProgramSize();
  if (size <= kMaxProgram) return {};
  return "it compiles to " + std::to_string(size) + " instructions, of at most " + std::to_string(kMaxProgram);
}

bool PathExpression::matches(std::string_view path) const {
  return re2::RE2::FullMatch(piece(path), *compiled_);
}

}  // namespace spillway
