#pragma once

#include <string_view>

namespace spillway::http {

/// What can be made out of a head that is malformed or incomplete: for the log only, never to act on. Raw bytes of a
/// client, bounded in length; empty where nothing was found.
struct Glimpse {
  std::string_view method;  ///< at most 32 bytes
  std::string_view target;  ///< at most 1024 bytes
  std::string_view host;    ///< at most 256 bytes
};

/// `bytes`: what has come of the head.
Glimpse glimpse(std::string_view bytes);

}  // namespace spillway::http
