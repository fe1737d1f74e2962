#include "proxy/config/tls.hpp"

#include <chrono>

#include "proxy/config/fields.hpp"

namespace spillway {

namespace {
using config::ListenTls;

std::string path_at(const std::vector<config::FilePath>& files, std::size_t index) {
  return index < files.size() ? files[index].path : std::string();
}
}  // namespace

tls::ServerOptions tls_options(const config::Listen& listen) {
  tls::ServerOptions options;
  for (std::size_t i = 0; i < listen.tls.certificate.size(); ++i) {
    options.certificates.push_back(
        {listen.tls.certificate[i].path, path_at(listen.tls.key, i), path_at(listen.tls.ocsp, i)});
  }
  options.client_ca = listen.tls.client_ca;
  options.client_certificate = listen.tls.client_certificate;
  options.min_version = listen.tls.min_version;
  options.tickets = listen.tls.tickets;
  if (listen.http2) options.protocols = {"h2"};
  options.protocols.insert(options.protocols.end(), {"http/1.1", "http/1.0"});
  options.scope = to_text(listen.address);
  return options;
}

void check_tls(const config::Listen& listen, const std::string& path, config::Problems& problems) {
  const ListenTls& c = listen.tls;
  const std::string of_tls = path + ".tls";
  if (!c.enabled()) {
    problems.require(c == ListenTls(), {of_tls, path}, "needs certificate, the path of a file");
    return;
  }
  const auto as_many = [&](const std::vector<config::FilePath>& files, const char* name) {
    const bool fits = files.empty() || files.size() == c.certificate.size();
    problems.require(fits, {of_tls + "." + name},
                     "must be as many as certificate: " + std::to_string(c.certificate.size()) + ", not " +
                         std::to_string(files.size()));
    return fits;
  };
  const bool keys = as_many(c.key, "key");
  const bool responses = as_many(c.ocsp, "ocsp");
  const bool asks = c.client_certificate != ListenTls::ClientCertificate::none;
  problems.require(!asks || !c.client_ca.empty(), {of_tls + ".client_ca", of_tls + ".client_certificate"},
                   "client_certificate needs client_ca beside it, the authorities of those certificates");
  problems.require(asks || c.client_ca.empty(), {of_tls + ".client_certificate", of_tls + ".client_ca"},
                   "client_ca has an effect only with client_certificate: request or require");
  if (!keys || !responses) return;
  std::vector<tls::Fault> faults;
  tls::ServerContext::make(tls_options(listen), nullptr, std::chrono::system_clock::now(), faults);
  for (const tls::Fault& fault : faults) {
    const std::string key = of_tls + "." + fault.key;
    const std::string whole = key.substr(0, key.rfind('['));
    problems.require(false, {key, whole, of_tls + ".certificate"}, fault.text);
  }
}

tls::ClientOptions tls_options(const UpstreamConfig& upstream) {
  const UpstreamTls& c = upstream.tls;
  const bool has_host = upstream.address.kind == config::Address::Kind::tcp;
  return {.server_name = c.server_name.empty() && has_host ? upstream.address.host : c.server_name,
          .ca = c.ca,
          .verify = c.verify,
          .certificate = c.certificate,
          .key = c.key};
}

void describe_tls(config::Fields& f, UpstreamTls& c) {
  constexpr config::Range<std::size_t> kFile = {0, config::kMaxTextBytes};
  f.flag({"enabled", "Whether it is spoken; health polls, too."}, c.enabled);
  f.text({"server_name",
          "The name or IP address that the API's certificate must have; a name is sent as SNI. Empty: the host of "
          "`address`."},
         c.server_name, kHost);
  f.text({"ca", "File with the authorities, in PEM, that may have signed it. Empty: those that the system trusts."},
         c.ca, kFile);
  f.flag({"verify", "false: any certificate will do, so whoever is in between may read and change everything."},
         c.verify);
  f.text({"certificate", "File with a certificate in PEM to show to the API. Empty: none."}, c.certificate, kFile);
  f.text({"key", "File with its key. Empty: it is in the file of the certificate."}, c.key, kFile);
}

void check_tls(const UpstreamConfig& upstream, config::Problems& problems) {
  const UpstreamTls& c = upstream.tls;
  if (!c.enabled) {
    // Forgotten, it would mean that everything goes in plain text.
    problems.require(c == UpstreamTls(), {"upstream.tls.enabled", "upstream.tls", "upstream"},
                     "has keys that need enabled: true beside them");
    return;
  }
  const tls::ClientOptions options = tls_options(upstream);
  problems.require(!c.verify || !options.server_name.empty(), {"upstream.tls.server_name", "upstream.tls.enabled"},
                   "server_name is needed: the address has no host that the certificate could be compared with");
  problems.require(c.key.empty() || !c.certificate.empty(), {"upstream.tls.certificate", "upstream.tls.key"},
                   "key needs certificate beside it");
  problems.require(c.ca.empty() || c.verify, {"upstream.tls.ca", "upstream.tls.verify"},
                   "ca has no effect with verify: false");
  if (c.verify && options.server_name.empty()) return;
  std::vector<tls::Fault> faults;
  tls::ClientContext::make(options, std::chrono::system_clock::now(), faults);
  for (const tls::Fault& fault : faults) {
    problems.require(false, {"upstream.tls." + fault.key, "upstream.tls.enabled"}, fault.text);
  }
}

std::vector<std::string> tls_files(const ProxyConfig& c) {
  std::vector<std::string> files;
  std::vector<config::Listen> listeners = c.listen;
  listeners.push_back(c.admin.listen);
  for (const config::Listen& listen : listeners) {
    for (const auto* list : {&listen.tls.certificate, &listen.tls.key, &listen.tls.ocsp}) {
      for (const config::FilePath& file : *list) files.push_back(file.path);
    }
    if (!listen.tls.client_ca.empty()) files.push_back(listen.tls.client_ca);
  }
  for (const std::string* file : {&c.upstream.tls.ca, &c.upstream.tls.certificate, &c.upstream.tls.key}) {
    if (c.upstream.tls.enabled && !file->empty()) files.push_back(*file);
  }
  return files;
}

}  // namespace spillway
