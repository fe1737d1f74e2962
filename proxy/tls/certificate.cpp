#include "proxy/tls/certificate.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "config/substitute.hpp"
#include "proxy/tls/ocsp.hpp"
#include "proxy/tls/openssl.hpp"

namespace tls {

namespace {

using Digest = std::array<unsigned char, 32>;  ///< SHA-256

std::string hexadecimal(const Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

/// The DNS names of its subjectAltName. Clients have looked at nothing else for years.
std::vector<std::string> names_of(X509* certificate) {
  std::vector<std::string> names;
  const std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>> all(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(all.get(), i);
    if (name->type != GEN_DNS) continue;
    const auto* const text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
    names.push_back(lower(std::string(text, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)))));
  }
  return names;
}

bool read(const std::string& path, std::string& text, std::string& why) {
  config::FileText file = config::read_bounded(path, kFileMax);
  text = std::move(file.text);
  why = file.error;
  return file.error.empty();
}

bool read_key(const std::string& text, Certificate& certificate, std::string& why) {
  const Bio bio = reader_of(text);
  certificate.key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr), &EVP_PKEY_free);
  if (certificate.key) return true;
  const bool encrypted = text.find("ENCRYPTED") != std::string::npos;
  why = encrypted ? "is encrypted: there is nobody to type its passphrase" : "holds no private key in PEM";
  ERR_clear_error();
  return false;
}

KeyKind kind_of(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS:
      return KeyKind::rsa;
    case EVP_PKEY_EC:
      return KeyKind::ecdsa;
    default:
      return KeyKind::other;
  }
}

}  // namespace

bool load(const CertificateFiles& files, WallTime now, Certificate& certificate, Fault& fault) {
  const std::string& key_file = files.key.empty() ? files.certificate : files.key;
  std::string text, why;
  const auto fails = [&](const char* key, const std::string& file) {
    fault = {key, file + ": " + why};
    return false;
  };
  certificate.file = files.certificate;
  if (!read(files.certificate, text, why)) return fails("certificate", files.certificate);
  certificate.chain = read_certificates(text, why);
  if (certificate.chain.empty()) return fails("certificate", files.certificate);
  certificate.leaf = certificate.chain.front();
  certificate.chain.erase(certificate.chain.begin());
  X509* const leaf = certificate.leaf.get();
  certificate.names = names_of(leaf);
  certificate.expires = expiry_of(leaf);
  const WallTime begins = to_time(X509_get0_notBefore(leaf));
  if (certificate.expires <= now) why = "has expired at " + to_text(certificate.expires);
  if (begins > now) why = "is not valid before " + to_text(begins);
  if (!why.empty()) return fails("certificate", files.certificate);

  if (!read(key_file, text, why)) return fails("key", key_file);
  const bool has_key = read_key(text, certificate, why);
  OPENSSL_cleanse(text.data(), text.size());
  if (!has_key) return fails("key", key_file);
  if (X509_check_private_key(leaf, certificate.key.get()) != 1) {
    ERR_clear_error();
    why = "is not the key of " + files.certificate;
    return fails("key", key_file);
  }
  certificate.kind = kind_of(certificate.key.get());

  if (files.ocsp.empty()) return true;
  if (!read(files.ocsp, certificate.ocsp, why)) return fails("ocsp", files.ocsp);
  const X509* const issuer = certificate.chain.empty() ? nullptr : certificate.chain.front().get();
  why = check_ocsp(certificate.ocsp, leaf, issuer, now, certificate.ocsp_expires);
  return why.empty() || fails("ocsp", files.ocsp);
}

bool use(SSL_CTX* context, const Certificate& certificate) {
  bool used = SSL_CTX_use_certificate(context, certificate.leaf.get()) == 1 &&
              SSL_CTX_use_PrivateKey(context, certificate.key.get()) == 1;
  for (const auto& link : certificate.chain) used = used && SSL_CTX_add1_chain_cert(context, link.get()) == 1;
  return used;
}

bool trust(SSL_CTX* context, const std::string& file, Authorities& authorities, std::string& why) {
  if (read(file, authorities.text, why)) authorities.all = read_certificates(authorities.text, why);
  for (const auto& each : authorities.all) X509_STORE_add_cert(SSL_CTX_get_cert_store(context), each.get());
  if (!why.empty()) why = file + ": " + why;
  return why.empty();
}

std::string fault_of_authorities(const std::string& file) {
  std::string text, why;
  if (read(file, text, why)) read_certificates(text, why);
  return why.empty() ? why : file + ": " + why;
}

std::string subject_of(const X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : std::string();
}

std::string fingerprint_of(const X509* certificate) {
  Digest digest{};
  return X509_digest(certificate, EVP_sha256(), digest.data(), nullptr) == 1 ? hexadecimal(digest) : std::string();
}

std::string digest_of(const std::vector<std::string>& paths, std::string& why) {
  std::string all, text, error;
  for (const std::string& path : paths) {
    if (!read(path, text, error)) text = error, why = path + ": " + error;
    Digest digest{};
    EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
    OPENSSL_cleanse(text.data(), text.size());  // it may be a key
    all += hexadecimal(digest);
  }
  Digest digest{};
  EVP_Digest(all.data(), all.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  return hexadecimal(digest);
}

WallTime expiry_of(const X509* certificate) {
  return to_time(X509_get0_notAfter(certificate));
}

std::string to_text(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace tls
