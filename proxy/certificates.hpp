#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/substitute.hpp"
#include "proxy/config/config.hpp"
#include "proxy/relay/settings.hpp"
#include "proxy/telemetry/log.hpp"
#include "proxy/tls/ticket_keys.hpp"

namespace spillway {

/// The certificates, keys and authorities in force, of all listeners and for the API. The main loop's.
class Certificates {
 public:
  explicit Certificates(telemetry::Log& log) : log_(log) {}

  /// Reads all files of `config` anew. False: each fault has been logged, and what was in force stays.
  bool load(const ProxyConfig& config);
  /// The last `load` has succeeded.
  bool good() const { return good_; }
  const relay::Contexts& contexts() const { return contexts_; }
  /// When each certificate expires, in seconds since 1970, by its file.
  const std::map<std::string, double>& expiries() const { return expiries_; }

  /// Stands for the contents of the files, for `FileWatch`: so the keys among them are in memory only once.
  static config::FileText digest_of(const std::vector<std::string>& paths);

 private:
  telemetry::Log& log_;
  std::shared_ptr<tls::TicketKeys> ticket_keys_ = std::make_shared<tls::TicketKeys>();
  relay::Contexts contexts_;
  std::map<std::string, double> expiries_;
  bool good_ = true;
};

}  // namespace spillway
