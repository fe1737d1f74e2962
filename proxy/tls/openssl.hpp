#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <openssl/bio.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

/// What several sources of this folder need of OpenSSL: owners of its objects, its errors in words, files in PEM. For
/// this folder only.
namespace tls {

template <auto free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using SslContext = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using OcspResponse = std::unique_ptr<OCSP_RESPONSE, Freed<OCSP_RESPONSE_free>>;
using OcspBasic = std::unique_ptr<OCSP_BASICRESP, Freed<OCSP_BASICRESP_free>>;
using OcspId = std::unique_ptr<OCSP_CERTID, Freed<OCSP_CERTID_free>>;

/// Reads from `text`, which must outlive it.
Bio reader_of(const std::string& text);
/// The latest error in words, which is then forgotten with all before it.
std::string last_error();

/// Passphrases are refused: nobody can type one.
int no_passphrase(char*, int, int, void*);
/// All certificates of a text in PEM. Empty: `why` says what is wrong.
std::vector<std::shared_ptr<X509>> read_certificates(const std::string& text, std::string& why);
/// The epoch if it is malformed.
std::chrono::system_clock::time_point to_time(const ASN1_TIME* time);
/// Of ASCII: names in certificates are.
std::string lower(std::string text);

}  // namespace tls
