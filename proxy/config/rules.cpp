#include <algorithm>
#include <numeric>

#include "proxy/config/fields.hpp"
#include "proxy/config/path_expression.hpp"
#include "proxy/config/tls.hpp"
#include "proxy/tls/certificate.hpp"

namespace spillway {
namespace {

using config::Address;
using config::Problems;

/// The second of two listeners that overlap could not be opened.
void check_overlaps(const ProxyConfig& c, Problems& problems) {
  std::vector<std::pair<std::string, Address>> opened;
  const auto open = [&](const std::string& key, const Address& address) {
    for (const auto& [other, where] : opened) {
      if (!overlap(where, address)) continue;
      problems.require(false, {key, other, "listen"},
                       other + " (" + to_text(where) + ") and " + key + " (" + to_text(address) +
                           ") overlap: the proxy cannot listen on both");
      break;
    }
    opened.emplace_back(key, address);
  };
  for (std::size_t i = 0; i < c.listen.size(); ++i) open("listen[" + std::to_string(i) + "]", c.listen[i].address);
  open("admin.listen", c.admin.listen.address);
  if (!c.handover.empty()) open("handover", Address::unix_socket(c.handover));
}

void check_addresses(const ProxyConfig& c, Problems& problems) {
  std::vector<Address> seen;
  for (std::size_t i = 0; i < c.listen.size(); ++i) {
    const Address& address = c.listen[i].address;
    const std::string path = "listen[" + std::to_string(i) + "]";
    const bool is_unix = address.kind == Address::Kind::unix_socket;
    problems.require(is_unix || !c.listen[i].mode, {path + ".mode", path + ".address"},
                     "is for unix:/path: no other address has a file");
    problems.require(is_unix || !c.listen[i].group, {path + ".group", path + ".address"},
                     "is for unix:/path: no other address has a file");
    problems.require(!c.listen[i].proxy_protocol || is_unix || !c.trusted_proxies.empty(),
                     {path + ".proxy_protocol", "trusted_proxies"},
                     "needs trusted_proxies: nobody else may connect to this listener");
    check_tls(c.listen[i], path, problems);
    seen.push_back(address);
  }
  const config::Listen& admin = c.admin.listen;
  problems.require(!admin.proxy_protocol, {"admin.listen[0].proxy_protocol", "admin.listen"}, "is for `listen` alone");
  problems.require(!admin.http2, {"admin.listen[0].http2", "admin.listen"}, "is for `listen` alone");
  const bool has_file = admin.address.kind == Address::Kind::unix_socket;
  problems.require(has_file || (!admin.mode && !admin.group), {"admin.listen[0].mode", "admin.listen[0].group"},
                   "is for unix:/path: no other address has a file");
  check_tls(admin, "admin.listen[0]", problems);
  const Address& upstream = c.upstream.address;
  problems.require(upstream.kind != Address::Kind::descriptor, {"upstream.address"},
                   "cannot be fd:N: that is for listening");
  problems.require(upstream.kind != Address::Kind::tcp || upstream.port != 0, {"upstream.address"},
                   "needs a port other than 0");
  problems.require(upstream.kind != Address::Kind::tcp || !upstream.host.empty(), {"upstream.address"},
                   "needs a host: write localhost:" + std::to_string(upstream.port));
  seen.push_back(c.admin.listen.address);
  for (const Address& own : seen) {
    if (upstream.kind == Address::Kind::descriptor || !reaches(upstream, own)) continue;
    const std::string same = upstream == own ? "" : ": " + to_text(own) + " is the same to it";
    problems.require(false, {"upstream.address"}, "is an address that the proxy itself listens on" + same);
    break;
  }
}

std::string match_path(std::size_t class_index, std::size_t rule_index) {
  return "classes[" + std::to_string(class_index) + "].match[" + std::to_string(rule_index) + "]";
}

/// A star at the end is meant as a wildcard. `path` has none, and `path_prefix` needs none.
void check_star(const MatchConditions& rule, const std::string& path, Problems& problems) {
  const auto bare = [](std::string_view text) { return std::string(text.substr(0, text.find('*'))); };
  problems.require(!rule.path || !rule.path->ends_with('*'), {path + ".path"},
                   "* is no wildcard here; write path_prefix: " + bare(rule.path.value_or("")));
  problems.require(!rule.path_prefix || !rule.path_prefix->ends_with('*'), {path + ".path_prefix"},
                   "* is no wildcard here; write path_prefix: " + bare(rule.path_prefix.value_or("")));
}

void check_conditions(const MatchConditions& rule, const std::string& path, Problems& problems) {
  check_star(rule, path, problems);
  const int named = (rule.header ? 1 : 0) + (rule.query ? 1 : 0) + (rule.cookie ? 1 : 0);
  problems.require(!rule.value || named > 0, {path + ".value"}, "needs header, query or cookie beside it");
  problems.require(!rule.value || named <= 1, {path + ".value"},
                   "needs exactly one of header, query and cookie beside it: of which one would it be the value?");
}

void check_classes(const ProxyConfig& c, Problems& problems) {
  std::vector<std::string_view> names;
  std::size_t expressions = 0;
  int reserved = 0;
  for (std::size_t i = 0; i < c.classes.size(); ++i) {
    const ClassConfig& each = c.classes[i];
    const std::string name_path = "classes[" + std::to_string(i) + "].name";
    problems.require(each.name != admission::kDefaultClass, {name_path},
                     "normal is the class of all that no rule matches; its threshold is admission.shed_at");
    problems.require(std::find(names.begin(), names.end(), each.name) == names.end(), {name_path},
                     "another class is named " + each.name);
    names.push_back(each.name);
    reserved += each.reserve;
    const std::string cap_path = "classes[" + std::to_string(i) + "].max_concurrent";
    const std::string cap = std::to_string(each.max_concurrent);
    problems.require(each.max_concurrent <= c.admission.max_concurrent, {cap_path, "admission.max_concurrent"},
                     cap_path + " (" + cap + ") must not exceed admission.max_concurrent (" +
                         std::to_string(c.admission.max_concurrent) + ")");
    problems.require(each.max_concurrent == 0 || each.reserve <= each.max_concurrent, {cap_path},
                     "must not be less than the class's reserve (" + std::to_string(each.reserve) + ")");
    for (std::size_t j = 0; j < each.match.size(); ++j) {
      const MatchRule& rule = each.match[j];
      const std::string path = match_path(i, j);
      problems.require(rule.any() || rule.value || rule.except.any() || rule.except.value, {path},
                       "needs at least one of path, path_prefix, path_regex, method, host, header, query, cookie, "
                       "client_certificate, not");
      check_conditions(rule, path, problems);
      check_conditions(rule.except, path + ".not", problems);
      expressions += (rule.path_regex ? 1U : 0U) + (rule.except.path_regex ? 1U : 0U);
    }
  }
  problems.require(expressions <= PathExpression::kMaxExpressions, {"classes"},
                   "have " + std::to_string(expressions) + " of path_regex; at most " +
                       std::to_string(PathExpression::kMaxExpressions) + " can be used");
  problems.require(reserved < c.admission.max_concurrent, {"classes", "admission.max_concurrent"},
                   "the classes reserve " + std::to_string(reserved) + " slots, which must leave at least one of " +
                       "admission.max_concurrent (" + std::to_string(c.admission.max_concurrent) + ") to all");
}

void check_refusal(const RefusalConfig& c, std::string_view name, Problems& problems) {
  const std::string path = "refusals." + std::string(name);
  problems.require(c.format != RefusalConfig::Format::file || !c.file.path.empty(), {path + ".file", path + ".format"},
                   "format: file needs file, the path of the body");
  const bool forgotten = c.format != RefusalConfig::Format::file && !c.file.path.empty();
  problems.require(!forgotten, {path + ".format", path + ".file"}, "file has an effect only with format: file");
}

void check_refusals(const RefusalsConfig& c, Problems& problems) {
  check_refusal(c.standard, "default", problems);
  for (std::size_t i = 0; i < c.by_reason.size(); ++i) {
    check_refusal(c.by_reason[i], admission::kReasonNames[i], problems);
  }
}

/// The pool of connections to the API fits the requests in flight.
void check_upstream(const ProxyConfig& c, Problems& problems) {
  const int connections = most_upstream_connections(c);
  problems.require(connections >= c.admission.max_concurrent, {"upstream.max_connections", "admission.max_concurrent"},
                   "upstream.max_connections (" + std::to_string(connections) +
                       ") must be at least admission.max_concurrent (" + std::to_string(c.admission.max_concurrent) +
                       ")");
  const HealthConfig& health = c.upstream.health;
  problems.require(health.interval == Duration::zero() || health.timeout <= health.interval,
                   {"upstream.health.timeout", "upstream.health.interval"},
                   "upstream.health.timeout must not exceed upstream.health.interval: polls would overlap");
}

/// Values that must not exceed each other.
void check_order(const ProxyConfig& c, Problems& problems) {
  problems.require(c.timeouts.drain_delay <= c.timeouts.drain, {"timeouts.drain_delay", "timeouts.drain"},
                   "timeouts.drain_delay is part of timeouts.drain and must not exceed it");
  problems.require(c.limits.request_head.uri <= c.limits.request_head.head, {"limits.uri", "limits.head"},
                   "limits.uri is part of limits.head and must not exceed it");
  const admission::Policy& policy = c.admission;
  problems.require(policy.queue.interval <= policy.queue.patience,
                   {"admission.queue.interval", "admission.queue.patience"},
                   "admission.queue.interval must not exceed admission.queue.patience");
  const bool may_wait = policy.queue.most() > 0 && policy.queue.max_wait > Duration::zero();
  problems.require(c.cohorts.key.source == ClientKey::Source::none || may_wait,
                   {"admission.cohorts.key", "admission.queue.max_length", "admission.queue.max_wait"},
                   "needs a queue: admission.queue.max_length and max_wait above 0");
  problems.require(!policy.adaptive.enabled || policy.adaptive.min <= policy.max_concurrent,
                   {"admission.adaptive.min", "admission.max_concurrent"},
                   "admission.adaptive.min must not exceed admission.max_concurrent");
  problems.require(policy.breaker.open_for <= policy.breaker.max_open, {"breaker.open_for", "breaker.max_open"},
                   "breaker.open_for must not exceed breaker.max_open");
}

}  // namespace

void check(const ProxyConfig& c, Problems& problems) {
  check_overlaps(c, problems);
  check_addresses(c, problems);
  check_upstream(c, problems);
  check_tls(c.upstream, problems);
  check_order(c, problems);
  check_classes(c, problems);
  check_refusals(c.refusals, problems);
  config::check_tracing(c.tracing, problems, tls::fault_of_authorities);
}

}  // namespace spillway
