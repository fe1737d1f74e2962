#include <algorithm>

#include "proxy/config/fields.hpp"
#include "proxy/config/path_expression.hpp"

namespace spillway {
namespace {

using config::Fields;

constexpr config::TextForm kMethod = {"a method in capital letters", "^[A-Z-]+$", [](std::string_view text) {
                                        return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
                                          return (c >= 'A' && c <= 'Z') || c == '-';
                                        });
                                      }};

constexpr config::TextForm kExpression = {
    "a regular expression of at most 1000 visible ASCII characters, in the syntax of RE2", "^[!-~]{1,1000}$",
    [](std::string_view text) {
      const auto visible = [](char c) { return c > ' ' && c < 0x7F; };
      return !text.empty() && text.size() <= PathExpression::kMaxText &&
             std::all_of(text.begin(), text.end(), visible) && PathExpression(text).fault().empty();
    }};

constexpr config::TextForm kMatchHost = {
    "a host such as example.org, *.example.org or [2001:db8::1], without a port",
    R"(^((\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\])$)", [](std::string_view text) {
      if (text.starts_with("*.")) text.remove_prefix(2);
      config::Address address;
      const bool host = parse(std::string(text).append(":1"), address) && address.kind == config::Address::Kind::tcp;
      return host && !text.starts_with('.') && !text.ends_with('.') && !text.empty();
    }};

constexpr config::TextForm kSubject = {
    "attributes of a subject such as CN=batch,O=Example", "^[A-Za-z0-9.]+=[^,]", [](std::string_view text) {
      const std::size_t equals = text.find('=');
      const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
      };
      return equals != std::string_view::npos && equals > 0 && equals + 1 < text.size() && text.size() <= 512 &&
             text[equals + 1] != ',' &&
             std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(equals), fits);
    }};

constexpr config::TextForm kCookieName = {"the name of a cookie", kFieldName.pattern, kFieldName.accepts};

/// An expression that is anchored by hand, as HAProxy and nginx need it, but only at its beginning.
std::string anchor_doubt(std::string_view expression) {
  if (!expression.starts_with('^') || expression.ends_with('$') || expression.ends_with(".*")) return {};
  return "the whole path must match; if more may follow, write " + std::string(expression) + ".*";
}

config::Scalar path_regex(std::optional<std::string>& value) {
  config::Scalar scalar = config::optional_text(value, kExpression);
  scalar.hint = [](std::string_view text) { return PathExpression(text).fault(); };
  scalar.doubt = anchor_doubt;
  return scalar;
}

/// A host of a rule that is written with its port.
config::Scalar match_host(std::optional<std::string>& value) {
  config::Scalar scalar = config::optional_text(value, kMatchHost);
  scalar.hint = [](std::string_view text) -> std::string {
    const std::string_view host = text.substr(0, text.rfind(':'));
    return host != text && kMatchHost.accepts(host) ? "the port does not count: write " + std::string(host) : "";
  };
  return scalar;
}

void describe_conditions(Fields& f, MatchConditions& c) {
  f.optional_text({"path", "The path, without the query, equals this."}, c.path, kPath);
  f.optional_text({"path_prefix", "The path begins with this."}, c.path_prefix, kPath);
  f.scalar({"path_regex", "The whole path matches this expression (syntax of RE2), as if it stood between ^ and $."},
           path_regex(c.path_regex));
  f.optional_text({"method", "The method equals this."}, c.method, kMethod);
  f.scalar({"host",
            "The host of the request is this name, in any case and whatever its port; *.example.org is any name below "
            "example.org."},
           match_host(c.host));
  f.optional_text({"header", "The request has a header field of this name."}, c.header, kFieldName);
  f.optional_text({"query", "The query has a parameter of this name, compared after percent-decoding."}, c.query,
                  {1, 256});
  f.optional_text({"cookie", "The request has a cookie of this name."}, c.cookie, kCookieName);
  f.optional_text({"value", "What is named by `header`, `query` or `cookie` has this value."}, c.value,
                  {0, config::kMaxTextBytes});
  f.optional_text({"client_certificate",
                   "The subject of the client's verified certificate has all these attributes, such as "
                   "CN=batch,O=Example."},
                  c.client_certificate, kSubject);
}

}  // namespace

void describe_match(Fields& f, MatchRule& c) {
  describe_conditions(f, c);
  f.section({.name = "not", .doc = "The rule does not hold if all keys in here do.", .optional = true},
            [&] { describe_conditions(f, c.except); });
}

}  // namespace spillway
