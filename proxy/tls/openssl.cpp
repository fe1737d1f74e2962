#include "proxy/tls/openssl.hpp"

#include <algorithm>
#include <ctime>

#include <openssl/err.h>

namespace tls {

Bio reader_of(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string last_error() {
  const unsigned long error = ERR_peek_last_error();
  const char* const reason = ERR_reason_error_string(error);
  ERR_clear_error();
  if (reason) return reason;
  return error ? "OpenSSL error " + std::to_string(error) : "unknown error";
}

int no_passphrase(char*, int, int, void*) {
  return -1;
}

std::vector<std::shared_ptr<X509>> read_certificates(const std::string& text, std::string& why) {
  std::vector<std::shared_ptr<X509>> all;
  const Bio bio = reader_of(text);
  while (X509* const next = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr)) {
    all.emplace_back(next, &X509_free);
  }
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string error = last_error();
  if (ended && all.empty()) why = "holds no certificate in PEM";
  if (!ended) why = "holds a broken certificate: " + error, all.clear();
  return all;
}

std::chrono::system_clock::time_point to_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  return text;
}

}  // namespace tls
