#include "api/db/connection_url.hpp"

#include <algorithm>
#include <memory>

#include <libpq-fe.h>

#include "proxy/text/hex.hpp"

namespace api::db {

namespace {

constexpr std::string_view kLeftOut = "\"…\"";

/// The part after `//`; empty: the string is not a URI of PostgreSQL.
std::string_view after_scheme(std::string_view url) {
  for (std::string_view scheme : {"postgresql://", "postgres://"}) {
    if (url.starts_with(scheme)) return url.substr(scheme.size());
  }
  return {};
}

bool has_lone_percent(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    if (at + 2 >= text.size() || text::hex_value(text[at + 1]) < 0 || text::hex_value(text[at + 2]) < 0) return true;
  }
  return false;
}

/// Words that libpq quotes in messages and that are not part of its input.
bool is_known_word(std::string_view word) {
  struct Free {
    void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
  };
  if (word == "=") return true;
  const std::unique_ptr<PQconninfoOption, Free> options(PQconndefaults());
  for (const PQconninfoOption* option = options.get(); option && option->keyword; ++option) {
    if (word == option->keyword) return true;
  }
  return false;
}

std::string_view first_line(std::string_view text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

std::string fault_of_url(std::string_view url) {
  const std::string_view rest = after_scheme(url);
  const std::size_t end = rest.rfind('@');
  if (end == std::string_view::npos) return {};
  const std::string_view user = rest.substr(0, end);
  std::string wrong;
  auto add = [&](bool found, const char* words) {
    if (found) wrong.append(wrong.empty() ? "" : ", ").append(words);
  };
  add(user.find('@') != std::string_view::npos, "a @ as %40");
  add(user.find('/') != std::string_view::npos, "a / as %2F");
  add(has_lone_percent(user), "a % as %25");
  if (wrong.empty()) return {};
  return "not a PostgreSQL URI: user and password end at its only @ (any other is %40), and before it must be "
         "written " +
         wrong;
}

bool names_user(std::string_view url) {
  return after_scheme(url).find('@') != std::string_view::npos;
}

std::string without_values(std::string_view complaint) {
  constexpr std::string_view kOption = " for connection option \"";
  std::string text;
  // A quoted value may contain quotes and line ends. Keep the text before the first unknown quotation, and after it
  // only what cannot be part of the value.
  for (std::string_view left = complaint;;) {
    const std::size_t quote = left.find('"');
    text += first_line(left.substr(0, quote));
    if (quote == std::string_view::npos) return text;
    std::string_view rest = left.substr(quote + 1);
    const std::size_t end = rest.find('"');
    if (end != std::string_view::npos && is_known_word(rest.substr(0, end))) {
      text.append("\"").append(rest.substr(0, end)).append("\"");
      left = rest.substr(end + 1);
      continue;
    }
    text += kLeftOut;
    while (rest.ends_with('\n')) rest.remove_suffix(1);
    const std::size_t at = rest.rfind(kOption);
    if (at == std::string_view::npos || !rest.ends_with('"')) return text;
    std::string_view option = rest.substr(at + kOption.size());
    option.remove_suffix(std::min<std::size_t>(1, option.size()));
    if (is_known_word(option)) text.append(rest.substr(at));
    return text;
  }
}

std::string without_name(std::string_view message, std::string_view name) {
  std::string text(first_line(message));
  if (name.empty()) return text;
  const std::string quoted = '"' + std::string(name) + '"';
  for (std::size_t at = text.find(quoted); at != std::string::npos; at = text.find(quoted, at + kLeftOut.size())) {
    text.replace(at, quoted.size(), kLeftOut);
  }
  return text;
}

}  // namespace api::db
