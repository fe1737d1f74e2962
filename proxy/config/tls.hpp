#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "proxy/config/config.hpp"
#include "proxy/tls/client_context.hpp"
#include "proxy/tls/server_context.hpp"

namespace spillway {

/// What an entry of `listen` says of TLS, for `tls::ServerContext`.
tls::ServerOptions tls_options(const config::Listen& listen);

/// Checks TLS of an entry, with all its files, which must be good now. `path`: such as `listen[0]`.
void check_tls(const config::Listen& listen, const std::string& path, config::Problems& problems);

/// What `upstream.tls` says, for `tls::ClientContext`.
tls::ClientOptions tls_options(const UpstreamConfig& upstream);
void check_tls(const UpstreamConfig& upstream, config::Problems& problems);

/// All files that the TLS of this configuration reads.
std::vector<std::string> tls_files(const ProxyConfig& c);

}  // namespace spillway
