#include "proxy/certificates.hpp"

#include <chrono>
#include <utility>

#include "proxy/config/tls.hpp"

namespace spillway {

namespace {
double seconds(tls::WallTime time) {
  return static_cast<double>(std::chrono::system_clock::to_time_t(time));
}
}  // namespace

bool Certificates::load(const ProxyConfig& config) {
  relay::Contexts contexts;
  std::map<std::string, double> expiries;
  std::vector<tls::Fault> faults;
  const auto now = std::chrono::system_clock::now();
  const auto context_of = [&](const config::Listen& listen) {
    auto context =
        listen.tls.enabled() ? tls::ServerContext::make(tls_options(listen), ticket_keys_, now, faults) : nullptr;
    if (context) {
      for (const tls::CertificateInfo& each : context->certificates()) expiries[each.file] = seconds(each.expires);
    }
    return context;
  };
  for (const config::Listen& listen : config.listen) contexts.listeners.push_back(context_of(listen));
  contexts.admin = context_of(config.admin.listen);
  if (config.upstream.tls.enabled) {
    contexts.upstream = tls::ClientContext::make(tls_options(config.upstream), now, faults);
    if (contexts.upstream && contexts.upstream->expires()) {
      expiries[config.upstream.tls.certificate] = seconds(*contexts.upstream->expires());
    }
    if (!config.upstream.tls.verify) log_.warning("upstream.tls.verify is false: the API may be anybody");
  }
  for (const tls::Fault& fault : faults) log_.error(fault.text);
  good_ = faults.empty();
  if (!good_) return false;
  contexts_ = std::move(contexts);
  expiries_ = std::move(expiries);
  return true;
}

config::FileText Certificates::digest_of(const std::vector<std::string>& paths) {
  config::FileText all;
  all.text = tls::digest_of(paths, all.error);
  return all;
}

}  // namespace spillway
