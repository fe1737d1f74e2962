#pragma once

#include <memory>
#include <string>
#include <vector>

#include <openssl/types.h>

namespace support {

/// A certificate made at test time, with its key; both in PEM.
struct Issued {
  std::string certificate, key;
};

/// What a certificate is to say.
struct Wanted {
  std::vector<std::string> names = {"localhost"};  ///< DNS names
  std::vector<std::string> addresses = {};         ///< IP addresses
  std::string common_name = "localhost";
  bool rsa = false;      ///< its key; otherwise ECDSA on P-256
  int from_hours = -24;  ///< validity, from now
  int to_hours = 24 * 365;
};

/// An authority that signs certificates.
class Authority {
 public:
  explicit Authority(const std::string& name = "Test Authority");

  const std::string& certificate() const { return pem_; }
  Issued issue(const Wanted& wanted = {}) const;
  /// An OCSP response, in DER, about a certificate that it has signed.
  std::string ocsp(const std::string& certificate, bool good = true, int to_hours = 24) const;

 private:
  std::shared_ptr<EVP_PKEY> key_;
  std::shared_ptr<X509> self_;
  std::string pem_;
};

/// SHA-256 of the certificate, in hexadecimal digits.
std::string fingerprint(const std::string& certificate);

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& text);

}  // namespace support
