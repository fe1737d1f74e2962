#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/fields.hpp"

namespace config {

/// The path of a file.
struct FilePath {
  std::string path;
  bool operator==(const FilePath&) const = default;
};
bool parse(std::string_view text, FilePath& file);
std::string to_text(const FilePath& file);
std::string_view words_for(const FilePath& file);
std::string_view pattern_for(const FilePath& file);

/// TLS of a listener. Without a certificate it is plain.
struct ListenTls {
  enum class ClientCertificate : std::uint8_t { none, request, require };
  enum class MinVersion : std::uint8_t { v1_2, v1_3 };

  std::vector<FilePath> certificate;
  std::vector<FilePath> key;   ///< by certificate; empty: in the files of the certificates
  std::vector<FilePath> ocsp;  ///< by certificate; empty: none is stapled
  std::string client_ca;
  ClientCertificate client_certificate = ClientCertificate::none;
  MinVersion min_version = MinVersion::v1_2;
  bool tickets = true;

  bool enabled() const { return !certificate.empty(); }
  bool operator==(const ListenTls&) const = default;
};

void describe(Fields& f, ListenTls& tls);

}  // namespace config
