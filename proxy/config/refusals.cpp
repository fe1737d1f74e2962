#include "proxy/config/refusals.hpp"

#include <algorithm>

#include "config/substitute.hpp"
#include "proxy/config/fields.hpp"
#include "proxy/http/grammar.hpp"

namespace spillway {
namespace {

using config::Fields;

constexpr config::TextForm kContentType = {
    "a content type such as text/html; charset=utf-8", "^[a-z0-9.+-]+/[a-z0-9.+-]+(; ?[ -~]+)?$",
    [](std::string_view text) {
      const std::size_t slash = text.find('/'), end = std::min(text.find(';'), text.size());
      const auto visible = [](char c) { return c >= ' ' && c <= '~'; };
      return slash != std::string_view::npos && slash < end && http::is_token(text.substr(0, slash)) &&
             http::is_token(text.substr(slash + 1, end - slash - 1)) && std::all_of(text.begin(), text.end(), visible);
    }};

/// Fields that say how a response is framed, or that the proxy sets itself.
constexpr std::string_view kOwnFields[] = {"connection", "content-length", "content-type",      "date",
                                           "keep-alive", "proxy-status",   "retry-after",       "cache-control",
                                           "te",         "trailer",        "transfer-encoding", "upgrade",
                                           "via",        "x-request-id"};

bool is_placeholder(std::string_view name) {
  return name == "reason" || name == "retry_after" || name == "request_id" || name == "detail";
}

/// Why a text is no template; empty if it is one.
std::string fault_of_template(std::string_view text) {
  for (std::size_t at = text.find("{{"); at != std::string_view::npos; at = text.find("{{", at + 2)) {
    const std::size_t end = text.find("}}", at);
    if (end != std::string_view::npos && is_placeholder(text.substr(at + 2, end - at - 2))) continue;
    return "only {{reason}}, {{retry_after}}, {{request_id}} and {{detail}} can stand in it";
  }
  return {};
}

std::string read_body(std::string_view path, BodyFile& value) {
  if (path.empty()) return value = {}, std::string();
  config::FileText file = config::read_bounded(std::string(path), kMaxBodyFile);
  std::string fault = file.error.empty() ? fault_of_template(file.text) : file.error;
  // The path stays if the file is of no use, so that it is watched until it is.
  value = {std::string(path), fault.empty() ? std::move(file.text) : std::string()};
  return fault;
}

void describe_refusal(Fields& f, RefusalConfig& c, bool of_reason) {
  using Format = RefusalConfig::Format;
  constexpr std::string_view kFormatDoc =
      "problem: a problem document in JSON, and to browsers a page that tries again by itself; file: the text in "
      "`file`; default: as `refusals.default` says, and the other keys here have no effect.";
  if (of_reason) {
    f.choice({"format", kFormatDoc}, c.format,
             {{"default", Format::standard}, {"problem", Format::problem}, {"file", Format::file}});
  } else {
    f.choice({"format", kFormatDoc}, c.format, {{"problem", Format::problem}, {"file", Format::file}});
  }
  f.scalar({"status", "Status of the answer. auto: 503, of `fairness` 429."}, automatic_or(c.status, {400, 599}));
  f.text({"content_type", "Of `file`. It decides how what replaces {{…}} is escaped: HTML and XML, JSON, or not."},
         c.content_type, kContentType);
  f.value({"file",
           "The body, read with the configuration and, with `reload: auto`, when it changes. {{reason}}, "
           "{{retry_after}} (seconds), {{request_id}} and "
           "{{detail}} are replaced. Empty: none."},
          c.file);
  f.values({"headers", "Further header fields."}, c.headers, {0, 16});
}

}  // namespace

const WebOrigin* CorsConfig::allowing(std::string_view origin) const {
  const auto found = std::find_if(allow_origins.begin(), allow_origins.end(),
                                  [&](const WebOrigin& each) { return each.text == origin || each.text == "*"; });
  return found == allow_origins.end() ? nullptr : &*found;
}

const RefusalConfig& RefusalsConfig::of(admission::Reason reason) const {
  const RefusalConfig& own = by_reason[static_cast<std::size_t>(reason)];
  return own.format == RefusalConfig::Format::standard ? standard : own;
}

std::vector<std::string> body_files(const RefusalsConfig& c) {
  std::vector<std::string> paths;
  const auto note = [&paths](const RefusalConfig& each) {
    if (!each.file.path.empty()) paths.push_back(each.file.path);
  };
  note(c.standard);
  std::for_each(c.by_reason.begin(), c.by_reason.end(), note);
  return paths;
}

std::vector<std::string> changed_bodies(const RefusalsConfig& before, const RefusalsConfig& after) {
  std::vector<std::string> paths;
  const auto compare = [&paths](const BodyFile& one, const BodyFile& other) {
    const bool changed = one.path == other.path && one.text != other.text;
    if (changed && std::find(paths.begin(), paths.end(), one.path) == paths.end()) paths.push_back(one.path);
  };
  compare(before.standard.file, after.standard.file);
  for (std::size_t i = 0; i < before.by_reason.size(); ++i) {
    compare(before.by_reason[i].file, after.by_reason[i].file);
  }
  return paths;
}

void describe_refusals(Fields& f, RefusalsConfig& c) {
  f.section({"default", "For reasons that have no section of their own."},
            [&] { describe_refusal(f, c.standard, false); });
  for (std::size_t i = 0; i < c.by_reason.size(); ++i) {
    f.section({admission::kReasonNames[i], "For this reason."}, [&] { describe_refusal(f, c.by_reason[i], true); });
  }
  f.section({"cors", "Lets scripts of other origins read the proxy's own answers."}, [&] {
    f.values({"allow_origins",
              "Origins such as https://app.example.com, or *. A preflight that would be refused is answered 204 "
              "instead, without the API: with permission for one of these, so that the request itself gets the "
              "refusal; for another origin without."},
             c.cors.allow_origins, {0, 100});
    f.list({"expose_headers", "Names of header fields that scripts may read."}, [&] {
      config::List list;
      list.size = [&c] { return c.cors.expose_headers.size(); };
      list.resize = [&c](std::size_t n) { c.cors.expose_headers.resize(n); };
      list.scalar = [&c](std::size_t i) { return config::text(c.cors.expose_headers[i], kFieldName); };
      list.length = {0, 32};
      return list;
    }());
  });
}

bool parse(std::string_view text, BodyFile& value) {
  return read_body(text, value).empty();
}

std::string to_text(const BodyFile& value) {
  return value.path;
}

std::string_view words_for(const BodyFile& /*value*/) {
  return "the path of a readable file of at most 16384 bytes";
}

std::string_view pattern_for(const BodyFile& /*value*/) {
  return "";
}

std::string hint_for(std::string_view text, const BodyFile& /*value*/) {
  BodyFile any;
  return read_body(text, any);
}

bool parse(std::string_view text, HeaderLine& value) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || !http::is_token(text.substr(0, colon))) return false;
  const std::string_view name = text.substr(0, colon), content = http::trim(text.substr(colon + 1));
  const auto visible = [](char c) { return c >= ' ' && c <= '~'; };
  if (!std::all_of(content.begin(), content.end(), visible)) return false;
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (std::find(std::begin(kOwnFields), std::end(kOwnFields), lower) != std::end(kOwnFields)) return false;
  if (lower.starts_with("access-control-")) return false;  // `refusals.cors` writes these
  value = {std::string(name), std::string(content)};
  return true;
}

std::string to_text(const HeaderLine& value) {
  return value.name + ": " + value.value;
}

std::string_view words_for(const HeaderLine& /*value*/) {
  return "'Name: value' in visible ASCII, and none of the fields that the proxy sets itself";
}

std::string_view pattern_for(const HeaderLine& /*value*/) {
  return "^[A-Za-z0-9!#$%&'*+.^_`|~-]+:[ -~]*$";
}

bool parse(std::string_view text, WebOrigin& value) {
  const std::size_t scheme = text.find("://");
  const auto fits = [](char c) { return c > ' ' && c <= '~' && c != '/' && c != ',' && c != '*'; };
  const bool origin = scheme != std::string_view::npos && scheme > 0 && text.size() > scheme + 3 &&
                      std::all_of(text.begin() + static_cast<std::ptrdiff_t>(scheme) + 3, text.end(), fits) &&
                      http::is_token(text.substr(0, scheme));
  if (!origin && text != "*") return false;
  value.text = text;
  return true;
}

std::string to_text(const WebOrigin& value) {
  return value.text;
}

std::string_view words_for(const WebOrigin& /*value*/) {
  return "* or an origin without a path, such as https://app.example.com";
}

std::string_view pattern_for(const WebOrigin& /*value*/) {
  return "^([A-Za-z][A-Za-z0-9+.-]*://[!-+.-~-]+|[*])$";
}

}  // namespace spillway
