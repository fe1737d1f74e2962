#include "config/substitute.hpp"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace config {
namespace {

constexpr std::string_view kOpen = "${";
constexpr std::string_view kEscapedOpen = "$${";

bool is_variable_name(std::string_view name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0) return false;
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_') return false;
  }
  return true;
}

Substituted from_environment(std::string_view reference) {
  const std::size_t mark = reference.find(":-");
  const std::string name(reference.substr(0, mark));
  if (!is_variable_name(name)) return {{}, "'" + name + "' cannot be the name of an environment variable"};
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe): nobody calls setenv
  if (mark != std::string_view::npos && (value == nullptr || *value == '\0')) {
    return {std::string(reference.substr(mark + 2)), {}};
  }
  if (value == nullptr) return {{}, "environment variable " + name + " is not set"};
  return {value, {}};
}

Substituted from_file(std::string_view reference) {
  const std::string path(reference);
  if (!path.starts_with('/')) return {{}, "${file:" + path + "} must name an absolute path"};
  FileText file = read_bounded(path, kMaxSubstituteFileBytes);
  if (!file.error.empty()) return {{}, path + ": " + file.error};
  if (file.text.ends_with('\n')) file.text.pop_back();
  if (file.text.ends_with('\r')) file.text.pop_back();
  return {std::move(file.text), {}};
}

Substituted resolve(std::string_view reference) {
  constexpr std::string_view kEnvironment = "env:";
  constexpr std::string_view kFile = "file:";
  if (reference.find(kOpen) != std::string_view::npos) return {{}, "a substitution within a substitution"};
  if (reference.starts_with(kEnvironment)) return from_environment(reference.substr(kEnvironment.size()));
  if (reference.starts_with(kFile)) return from_file(reference.substr(kFile.size()));
  return {{},
          "'${" + std::string(reference) + "}' is neither ${env:NAME} nor ${file:/path}; write $${ for a literal ${"};
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string result;
  std::size_t position = 0;
  for (std::size_t next = 0; (next = text.find(from, position)) != std::string_view::npos;) {
    result.append(text.substr(position, next - position)).append(to);
    position = next + from.size();
  }
  return result.append(text.substr(position));
}

std::string reason_of(int error) {
  return std::strerror(error);  // NOLINT(concurrency-mt-unsafe): glibc's is, for known errors
}

}  // namespace

Substituted substitute(std::string_view text, std::size_t& budget) {
  Substituted result;
  while (!text.empty()) {
    const std::size_t open = text.find(kOpen);
    if (open == std::string_view::npos) {
      result.text += text;
      break;
    }
    if (open > 0 && text[open - 1] == '$') {
      result.text.append(text.substr(0, open - 1)).append(kOpen);
      text.remove_prefix(open + kOpen.size());
      continue;
    }
    result.text += text.substr(0, open);
    const std::size_t close = text.find('}', open);
    if (close == std::string_view::npos) return {{}, "'${' without its '}'; write $${ for a literal ${"};
    Substituted part = resolve(text.substr(open + kOpen.size(), close - open - kOpen.size()));
    if (part.error.empty() && part.text.size() > budget) part.error = "too much text through substitutions";
    if (!part.error.empty()) return part;
    budget -= part.text.size();
    result.text += part.text;
    result.referenced = true;
    text.remove_prefix(close + 1);
  }
  return result;
}

std::string escape_substitution(std::string_view text) {
  return replace_all(text, kOpen, kEscapedOpen);
}

FileText read_bounded(const std::string& path, std::size_t limit) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) return {{}, reason_of(errno)};
  FileText result;
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    result.error = "not a regular file";
  }
  // Watched files are read four times a second: the memory is that of the file, not of the limit. It is seldom moved,
  // since a copy that is left behind may be of a key.
  constexpr std::size_t kLeast = 4 * 1024;
  const std::size_t expected = std::max(kLeast, static_cast<std::size_t>(status.st_size) + 1);
  std::size_t length = 0;
  while (result.error.empty() && length <= limit) {
    if (length == result.text.size()) result.text.resize(std::min(std::max(expected, 2 * length), limit + 1));
    const ssize_t got = ::read(descriptor, result.text.data() + length, result.text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) result.error = reason_of(errno);
    if (got <= 0) break;
    length += static_cast<std::size_t>(got);
  }
  ::close(descriptor);
  result.text.resize(length);
  if (length > limit) result.error = "longer than " + std::to_string(limit) + " bytes";
  if (!result.error.empty()) result.text.clear();
  return result;
}

}  // namespace config
