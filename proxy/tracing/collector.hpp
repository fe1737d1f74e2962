#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "config/tracing.hpp"
#include "proxy/net/io.hpp"
#include "proxy/net/resolve.hpp"
#include "proxy/tls/client_context.hpp"

namespace tracing {

/// Where spans are posted. Each call opens a connection of its own. One thread's, which waits for it.
class Collector {
 public:
  enum class Answer : std::uint8_t {
    taken,
    later,  ///< it is away or busy: the same may be posted again
    never,  ///< it refuses what was posted
  };

  /// `tls`: null for plain HTTP. `user_agent`: of the posts.
  Collector(config::TracingEndpoint endpoint, std::shared_ptr<const tls::ClientContext> tls, std::string user_agent);

  /// Unless it is taken, `error` says why in one line. Takes some seconds at most, and as long as a look-up of the
  /// name.
  Answer post(const std::string& body, std::string& error);
  /// As a Host field has it.
  const std::string& host() const { return endpoint_.host; }

 private:
  struct Post;
  net::Task<> talk(Post* post);

  config::TracingEndpoint endpoint_;
  std::shared_ptr<const tls::ClientContext> tls_;
  std::string user_agent_;
};

}  // namespace tracing
