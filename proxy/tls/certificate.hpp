#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <openssl/types.h>

namespace tls {

using WallTime = std::chrono::system_clock::time_point;

/// Most bytes of a file with certificates or a key. A bundle of all public authorities has 200 KiB.
inline constexpr std::size_t kFileMax = 1024 * 1024;

/// What does not fit in a set of files: the key it is about, such as `certificate[0]`, and one line with file and
/// reason.
struct Fault {
  std::string key;
  std::string text;
};

/// Files of one certificate, in PEM.
struct CertificateFiles {
  std::string certificate;  ///< it, and behind it the chain up to the root, which may be left out
  std::string key;          ///< empty: it is in the file of the certificate
  std::string ocsp;         ///< an OCSP response about it, in DER; empty: none is stapled
};

/// The kind of a certificate's key. A client that cannot use one may use another.
enum class KeyKind : std::uint8_t { rsa, ecdsa, other };

/// A certificate with its key. Immutable; shared by all threads.
struct Certificate {
  std::string file;
  std::shared_ptr<X509> leaf;
  std::vector<std::shared_ptr<X509>> chain;  ///< without the leaf
  std::shared_ptr<EVP_PKEY> key;
  KeyKind kind = KeyKind::other;
  std::vector<std::string> names;  ///< DNS names in lower case, may begin with `*.`
  WallTime expires;
  std::string ocsp;       ///< the response, in DER; empty: none
  WallTime ocsp_expires;  ///< from then on it is not stapled
};

/// Reads and checks a certificate: the key fits it, it is valid `now`, and so is the OCSP response. Unless it returns
/// true, `fault` says why; its key is `certificate`, `key` or `ocsp`.
bool load(const CertificateFiles& files, WallTime now, Certificate& certificate, Fault& fault);

/// Has connections of `context` show this certificate. False: OpenSSL has said why.
bool use(SSL_CTX* context, const Certificate& certificate);

/// A file with the certificates of authorities.
struct Authorities {
  std::string text;
  std::vector<std::shared_ptr<X509>> all;
};
/// Has connections of `context` trust those in `file`. Unless it returns true, `why` says with the file what is wrong.
bool trust(SSL_CTX* context, const std::string& file, Authorities& authorities, std::string& why);

/// What is wrong with such a file, with its path; empty: nothing.
std::string fault_of_authorities(const std::string& file);

/// Stands for the contents of all these files: SHA-256, in hexadecimal digits. A file that cannot be read counts, too;
/// then `why` says which.
std::string digest_of(const std::vector<std::string>& paths, std::string& why);

/// The subject as RFC 2253 writes it, in printable ASCII.
std::string subject_of(const X509* certificate);
/// SHA-256 of the whole certificate, 64 digits in lower case.
std::string fingerprint_of(const X509* certificate);
/// The end of its validity.
WallTime expiry_of(const X509* certificate);
/// Such as `2026-01-31T12:00:00Z`.
std::string to_text(WallTime time);

}  // namespace tls
