#include "tests/support/certificates.hpp"

#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

namespace support {

namespace {

constexpr long kHour = 3600;

std::shared_ptr<EVP_PKEY> make_key(bool rsa) {
  EVP_PKEY* const key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
  if (!key) throw std::runtime_error("no key");
  return {key, &EVP_PKEY_free};
}

template <class Write>
std::string pem_of(Write write) {
  BIO* const bio = BIO_new(BIO_s_mem());
  write(bio);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  std::string pem(text, static_cast<std::size_t>(size));
  BIO_free(bio);
  return pem;
}

std::string pem_of(X509* certificate) {
  return pem_of([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
}

std::shared_ptr<X509> read(const std::string& pem) {
  BIO* const bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  std::shared_ptr<X509> certificate(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr), &X509_free);
  BIO_free(bio);
  if (!certificate) throw std::runtime_error("no certificate");
  return certificate;
}

void extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  if (!extension) throw std::runtime_error("no extension: " + value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

std::shared_ptr<X509> make(const std::string& name, EVP_PKEY* key, int from_hours, int to_hours) {
  std::shared_ptr<X509> certificate(X509_new(), &X509_free);
  X509_set_version(certificate.get(), 2);
  std::array<unsigned char, 8> serial{};
  RAND_bytes(serial.data(), static_cast<int>(serial.size()));
  serial[0] &= 0x7F;
  BIGNUM* const number = BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr);
  BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate.get()));
  BN_free(number);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), from_hours * kHour);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), to_hours * kHour);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.data()), static_cast<int>(name.size()), -1, 0);
  return certificate;
}

}  // namespace

Authority::Authority(const std::string& name) : key_(make_key(false)), self_(make(name, key_.get(), -24, 24 * 3650)) {
  X509_set_issuer_name(self_.get(), X509_get_subject_name(self_.get()));
  extend(self_.get(), self_.get(), NID_basic_constraints, "critical,CA:TRUE");
  extend(self_.get(), self_.get(), NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature");
  extend(self_.get(), self_.get(), NID_subject_key_identifier, "hash");
  X509_sign(self_.get(), key_.get(), EVP_sha256());
  pem_ = pem_of(self_.get());
}

Issued Authority::issue(const Wanted& wanted) const {
  const auto key = make_key(wanted.rsa);
  const auto certificate = make(wanted.common_name, key.get(), wanted.from_hours, wanted.to_hours);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(self_.get()));
  std::string names;
  for (const std::string& each : wanted.names) names += (names.empty() ? "DNS:" : ",DNS:") + each;
  for (const std::string& each : wanted.addresses) names += (names.empty() ? "IP:" : ",IP:") + each;
  if (!names.empty()) extend(certificate.get(), self_.get(), NID_subject_alt_name, names);
  X509_sign(certificate.get(), key_.get(), EVP_sha256());
  const std::string pem =
      pem_of([&](BIO* bio) { PEM_write_bio_PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  return {pem_of(certificate.get()), pem};
}

std::string Authority::ocsp(const std::string& certificate, bool good, int to_hours) const {
  const auto leaf = read(certificate);
  OCSP_BASICRESP* const basic = OCSP_BASICRESP_new();
  OCSP_CERTID* const id = OCSP_cert_to_id(EVP_sha1(), leaf.get(), self_.get());
  ASN1_TIME* const from = X509_gmtime_adj(nullptr, -100 * kHour);
  ASN1_TIME* const to = X509_gmtime_adj(nullptr, to_hours * kHour);
  OCSP_basic_add1_status(basic, id, good ? V_OCSP_CERTSTATUS_GOOD : V_OCSP_CERTSTATUS_REVOKED,
                         OCSP_REVOKED_STATUS_NOSTATUS, good ? nullptr : from, from, to);
  OCSP_basic_sign(basic, self_.get(), key_.get(), EVP_sha256(), nullptr, 0);
  OCSP_RESPONSE* const response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  unsigned char* bytes = nullptr;
  const int size = i2d_OCSP_RESPONSE(response, &bytes);
  std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  OCSP_RESPONSE_free(response);
  OCSP_CERTID_free(id);
  OCSP_BASICRESP_free(basic);
  ASN1_TIME_free(from);
  ASN1_TIME_free(to);
  return der;
}

std::string fingerprint(const std::string& certificate) {
  std::array<unsigned char, 32> digest{};
  X509_digest(read(certificate).get(), EVP_sha256(), digest.data(), nullptr);
  std::string text;
  for (const unsigned char byte : digest) {
    constexpr char kDigits[] = "0123456789abcdef";
    text += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return text;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace support
