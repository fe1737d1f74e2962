#include "config/listen_tls.hpp"

#include <optional>
#include <utility>

namespace config {
namespace {

/// Certificates of one listener.
constexpr std::size_t kCertificatesMax = 64;

/// Printed only where it differs from the default: most entries have no TLS.
Scalar unless_default(Scalar scalar, bool is_default) {
  if (is_default) scalar.print = [] { return std::optional<std::string>(); };
  return scalar;
}

}  // namespace

bool parse(std::string_view text, FilePath& file) {
  return config::text(file.path, Range<std::size_t>{1, kMaxTextBytes}).set(text);
}

std::string to_text(const FilePath& file) {
  return file.path;
}

std::string_view words_for(const FilePath& /*file*/) {
  return "the path of a file";
}

std::string_view pattern_for(const FilePath& /*file*/) {
  return "^.+$";
}

void describe(Fields& f, ListenTls& tls) {
  using ClientCertificate = ListenTls::ClientCertificate;
  using MinVersion = ListenTls::MinVersion;
  const ListenTls standard;
  f.any_number({.name = "certificate",
                .doc = "A file, or a list: the certificate in PEM, and behind it the chain. The server name (SNI) "
                       "chooses; one of ECDSA and one of RSA for the same name go together; the first is for all "
                       "other names. Read anew when it changes.",
                .optional = true},
               tls.certificate, kCertificatesMax);
  f.any_number({.name = "key",
                .doc = "The private key in PEM, without a passphrase; as many as certificates. None: it is in the file "
                       "of the certificate.",
                .optional = true},
               tls.key, kCertificatesMax);
  f.any_number(
      {.name = "ocsp",
       .doc = "A response of the authority about the certificate, in DER, that is stapled until it expires; as "
              "many as certificates. None: nothing is stapled.",
       .optional = true},
      tls.ocsp, kCertificatesMax);
  f.scalar({"client_ca", "Authorities in PEM that have to have signed the certificates of clients."},
           unless_default(text(tls.client_ca, Range<std::size_t>{0, kMaxTextBytes}), tls.client_ca.empty()));
  const auto one_of_three = one_of(
      {"none", "request", "require"},
      [&tls](std::size_t i) { tls.client_certificate = static_cast<ClientCertificate>(i); },
      [&tls] { return static_cast<std::size_t>(tls.client_certificate); });
  f.scalar({"client_certificate",
            "request: clients may show one; require: they must. One that `client_ca` has not signed is refused. The "
            "API gets X-Client-Cert-Subject and X-Client-Cert-Fingerprint."},
           unless_default(one_of_three, tls.client_certificate == standard.client_certificate));
  const auto version = one_of(
      {"1.2", "1.3"}, [&tls](std::size_t i) { tls.min_version = static_cast<MinVersion>(i); },
      [&tls] { return static_cast<std::size_t>(tls.min_version); });
  f.scalar({"min_version", "The lowest version of TLS."},
           unless_default(version, tls.min_version == standard.min_version));
  f.scalar(
      {"tickets",
       "Whether clients get session tickets, with which the next handshake is short. Their keys change every hour; "
       "a ticket is good for two."},
      unless_default(flag(tls.tickets), tls.tickets));
}

}  // namespace config
