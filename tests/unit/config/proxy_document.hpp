#pragma once

#include <string>
#include <string_view>

#include "config/load.hpp"
#include "proxy/config/fields.hpp"

/// What the reader makes of a text of proxy.yaml.
namespace proxy_document {

inline config::Loaded<spillway::ProxyConfig> load(std::string_view yaml) {
  return config::load_text({"proxy.yaml", std::string(yaml)}, spillway::kProxyDefinition);
}

/// Path and message of every error, a line each.
inline std::string errors_of(std::string_view yaml) {
  std::string lines;
  for (const config::Error& error : load(yaml).errors) {
    lines += (lines.empty() ? "" : "\n") + error.path + ": " + error.message;
  }
  return lines;
}

}  // namespace proxy_document
