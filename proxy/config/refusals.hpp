#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/fields.hpp"
#include "proxy/admission/reason.hpp"

namespace spillway {

/// A body that stands in a file. It is read with the configuration, and again at each reload.
struct BodyFile {
  std::string path;  ///< empty: none
  std::string text;  ///< may hold {{reason}}, {{retry_after}}, {{request_id}} and {{detail}}
};

/// Most bytes of such a file. It fits the empty send buffer of a connection, so a refusal costs one write.
inline constexpr std::size_t kMaxBodyFile = 16 * 1024;

/// A header field: `Name: value`.
struct HeaderLine {
  std::string name, value;
};

/// An origin of scripts, such as `https://app.example.com`, or `*`.
struct WebOrigin {
  std::string text;
};

/// What a refused client sees.
struct RefusalConfig {
  enum class Format : std::uint8_t { standard, problem, file };
  Format format = Format::standard;                       ///< standard: as `refusals.default` says
  std::optional<int> status;                              ///< unset: the reason's own
  std::string content_type = "text/html; charset=utf-8";  ///< of the file
  BodyFile file;
  std::vector<HeaderLine> headers;
};

/// For scripts of other origins, which see a response only if it allows that.
struct CorsConfig {
  std::vector<WebOrigin> allow_origins;
  std::vector<std::string> expose_headers = {"Retry-After", "X-Request-ID"};

  /// The entry that allows this origin; null if none does.
  const WebOrigin* allowing(std::string_view origin) const;
};

struct RefusalsConfig {
  RefusalsConfig() { standard.format = RefusalConfig::Format::problem; }

  RefusalConfig standard;
  std::array<RefusalConfig, admission::kReasons> by_reason;
  CorsConfig cors;

  const RefusalConfig& of(admission::Reason reason) const;
};

/// The paths of all bodies that stand in files.
std::vector<std::string> body_files(const RefusalsConfig& c);
/// The paths of the bodies whose text alone differs.
std::vector<std::string> changed_bodies(const RefusalsConfig& before, const RefusalsConfig& after);

void describe_refusals(config::Fields& f, RefusalsConfig& c);

// Required by config::Fields; see `parsed` there.
bool parse(std::string_view text, BodyFile& value);
std::string to_text(const BodyFile& value);
std::string_view words_for(const BodyFile&);
std::string_view pattern_for(const BodyFile&);
std::string hint_for(std::string_view text, const BodyFile&);
bool parse(std::string_view text, HeaderLine& value);
std::string to_text(const HeaderLine& value);
std::string_view words_for(const HeaderLine&);
std::string_view pattern_for(const HeaderLine&);
bool parse(std::string_view text, WebOrigin& value);
std::string to_text(const WebOrigin& value);
std::string_view words_for(const WebOrigin&);
std::string_view pattern_for(const WebOrigin&);

}  // namespace spillway
