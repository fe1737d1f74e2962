#pragma once

#include <string>

#include "tests/integration/proxy/proxy.hpp"
#include "tests/integration/proxy/tls_client.hpp"
#include "tests/support/certificates.hpp"

namespace spillway::test {

using support::Authority;
using support::Issued;
using support::Wanted;
using support::write_file;

/// Files for a listener with TLS, and the authority behind them.
struct TlsFiles {
  Authority authority{};
  support::Folder folder{};

  std::string path(const std::string& name) const { return folder.path(name); }
  /// Issues a certificate into NAME.pem and NAME.key.
  Issued put(const std::string& name, const Wanted& wanted = {}) const {
    const Issued issued = authority.issue(wanted);
    put(name, issued);
    return issued;
  }
  void put(const std::string& name, const Issued& issued) const {
    write_file(path(name + ".pem"), issued.certificate + authority.certificate());
    write_file(path(name + ".key"), issued.key);
  }
  /// An entry of `listen` with that certificate; `more` are further keys of its TLS.
  std::string listen(const std::string& name, const std::string& more = {}) const {
    return "{address: '127.0.0.1:0', tls: {certificate: '" + path(name + ".pem") + "', key: '" + path(name + ".key") +
           "'" + (more.empty() ? "" : ", " + more) + "}}";
  }
  /// A client that trusts the authority.
  TlsWish wish() const { return {.ca = authority.certificate()}; }
};

}  // namespace spillway::test
