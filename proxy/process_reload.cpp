// How a process takes changed files into use.

#include <algorithm>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "config/restart.hpp"
#include "proxy/config/fields.hpp"
#include "proxy/config/tls.hpp"
#include "proxy/process.hpp"

namespace spillway {

namespace {
/// Keys that a line of the log names.
constexpr std::size_t kKeysNamed = 20;

std::string summary(const std::vector<config::Change>& changed, const std::vector<std::string>& bodies) {
  std::string files;
  for (const std::string& path : bodies) files += (files.empty() ? "" : ", ") + path;
  if (changed.empty()) return files.empty() ? "nothing has changed" : "changed: the text of " + files;
  std::string line = "changed:";
  for (std::size_t i = 0; i < std::min(changed.size(), kKeysNamed); ++i) {
    line += (i > 0 ? ", " : " ") + to_text(changed[i]);
  }
  if (changed.size() > kKeysNamed) line += fmt::format(" and {} more", changed.size() - kKeysNamed);
  if (!files.empty()) line += ", and the text of " + files;
  return line;
}
}  // namespace

void Process::reload() {
  watch_.remember();  // a change during the reading is then seen
  auto loaded = config::load_file(origin_, kProxyDefinition);
  // Files that it names anew are watched before they are read. That holds for a refused one, too: one may be missing.
  if (watch_.follow(files(loaded.config))) {
    loaded = config::load_file(origin_, kProxyDefinition);
  }
  std::vector<std::string> certificate_files = tls_files(config_);
  for (std::string& each : tls_files(loaded.config)) certificate_files.push_back(std::move(each));
  certificate_watch_.follow(std::move(certificate_files));
  for (const config::Error& warning : loaded.warnings) shared_.log.warning(to_text(warning));
  if (!loaded.ok()) return refuse_reload(loaded.errors);
  const std::vector<std::string> waiting =
      config::keep_until_restart(config_, loaded.config, kProxyDefinition, references_, loaded.references);
  for (const std::string& key : waiting) shared_.log.warning(key + " has changed: takes effect at the next start");
  if (!certificates_.load(loaded.config)) return refuse_reload({});
  const std::vector<config::Change> changed =
      config::changes(config_, loaded.config, kProxyDefinition, references_, loaded.references);
  const std::vector<std::string> bodies = changed_bodies(config_.refusals, loaded.config.refusals);
  if (config_.trusted_proxies != loaded.config.trusted_proxies) shared_.unnamed_balancer_told = false;
  refused_ = false;
  config_ = std::move(loaded.config);
  references_ = std::move(loaded.references);
  fit_to_descriptors();
  signals_.set_drain_limit(config_.timeouts.drain);
  shared_.gate.configure(admission_policy(config_), config_.retry.budget, Clock::now());
  shared_.log.configure(config_.log);
  shared_.addresses.configure(config_.upstream.resolve_interval);
  health_->configure(config_.upstream.health, certificates_.contexts().upstream);
  shared_.state.maintenance = config_.maintenance.enabled;
  shared_.state.reload_successful = true;
  shared_.state.restart_pending = !waiting.empty();
  shared_.state.reload_time = std::time(nullptr);
  shared_.state.last_change = summary(changed, bodies);
  shared_.state.waiting.clear();
  for (const std::string& key : waiting) shared_.state.waiting += (shared_.state.waiting.empty() ? "" : ", ") + key;
  shared_.log.info("configuration reloaded, " + shared_.state.last_change);
}

/// What a reload reads.
std::vector<std::string> Process::files(const ProxyConfig& config) const {
  std::vector<std::string> paths = body_files(config.refusals);
  if (!origin_.path.empty()) paths.push_back(origin_.path);
  return paths;
}

/// A certificate, a key, or what belongs to them has been replaced. Connections that are open go on with what they
/// have.
void Process::reload_certificates() {
  const bool were_good = certificates_.good();
  const bool good = certificates_.load(config_);
  if (good) {
    apply();
    health_->configure(config_.upstream.health, certificates_.contexts().upstream);
  }
  good ? shared_.log.info("certificates reloaded")
       : shared_.log.error("certificates not reloaded: the ones in force stay");
  if (!were_good || !good) shared_.state.reload_successful = good;
  if (refused_) reload();  // perhaps a certificate was missing
}

void Process::refuse_reload(const std::vector<config::Error>& errors) {
  refused_ = true;
  for (const config::Error& error : errors) shared_.log.error(to_text(error));
  shared_.log.error("configuration not reloaded: the one in force stays");
  shared_.state.reload_successful = false;
}

}  // namespace spillway
