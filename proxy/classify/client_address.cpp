#include "proxy/classify/client_address.hpp"

#include "config/forwarded.hpp"
#include "proxy/http/forwarded_field.hpp"
#include "proxy/http/grammar.hpp"

namespace spillway::classify {

namespace {

/// Reads from left to right, since a quoted text can be found in this direction only.
ClientAddress from_forwarded(const http::RequestHead& request, std::string_view peer,
                             std::span<const config::Cidr> trusted) {
  ClientAddress client;
  for (const http::Field& field : request.fields) {
    if (field.id != http::FieldName::forwarded) continue;
    http::ForwardedReader reader(field.value);
    for (http::ForwardedElement element; reader.next(element);) {
      config::IpBytes address;
      std::string_view node;
      if (!config::parse_host(element.node, address, node)) {
        client = {};  // an unreadable node hides its client
      } else if (client.address.empty() || !config::contains(trusted, address)) {
        client = {node, element.proto, element.host};
      }
    }
    if (reader.malformed()) client = {};
  }
  if (client.address.empty()) return {peer, {}, {}};
  if (client.proto != "http" && client.proto != "https") client.proto = {};
  if (!http::is_authority(client.host)) client.host = {};
  return client;
}

}  // namespace

ClientAddress client_address(const http::RequestHead& request, std::string_view peer, bool believed,
                             std::span<const config::Cidr> trusted) {
  if (!believed) return {peer, {}, {}};
  if (request.has(http::FieldName::x_forwarded_for)) {
    config::ForwardedFor forwarded(peer, true, trusted);
    for (auto field = request.fields.rbegin(); field != request.fields.rend() && forwarded.open(); ++field) {
      if (field->id == http::FieldName::x_forwarded_for) forwarded.line(field->value);
    }
    return {forwarded.client(), {}, {}};
  }
  if (request.has(http::FieldName::forwarded)) return from_forwarded(request, peer, trusted);
  return {peer, {}, {}};
}

}  // namespace spillway::classify
