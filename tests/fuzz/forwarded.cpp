// A Forwarded field reads the same whatever it is told beside: its elements are parts of it, in order, and what follows
// a whole field as another element changes none of them. Of the client only an address comes out, and a host that a
// Host field may have. Input: a byte that says how many trusted blocks there are, the field.

#include <cstdint>
#include <string>
#include <vector>

#include "config/cidr.hpp"
#include "proxy/classify/client_address.hpp"
#include "proxy/http/forwarded_field.hpp"
#include "proxy/http/grammar.hpp"
#include "tests/fuzz/require.hpp"

namespace {

using spillway::http::ForwardedElement;
using spillway::http::ForwardedReader;

std::vector<ForwardedElement> elements_of(std::string_view field, bool& malformed) {
  std::vector<ForwardedElement> elements;
  ForwardedReader reader(field);
  for (ForwardedElement element; reader.next(element);) elements.push_back(element);
  malformed = reader.malformed();
  return elements;
}

void require_part(std::string_view part, std::string_view field) {
  if (part.empty()) return;
  FUZZ_REQUIRE(part.data() >= field.data() && part.data() + part.size() <= field.data() + field.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string field(reinterpret_cast<const char*>(data) + 1, size - 1);
  bool malformed = false;
  const std::vector<ForwardedElement> elements = elements_of(field, malformed);
  for (const ForwardedElement& each : elements) {
    for (const std::string_view part : {each.node, each.proto, each.host}) require_part(part, field);
  }

  const std::string longer = field + ", for=192.0.2.1";
  bool longer_malformed = false;
  const std::vector<ForwardedElement> more = elements_of(longer, longer_malformed);
  if (!malformed) {
    FUZZ_REQUIRE(!longer_malformed && more.size() == elements.size() + 1 && more.back().node == "192.0.2.1");
  }
  FUZZ_REQUIRE(malformed || more.size() >= elements.size());
  for (std::size_t i = 0; i < elements.size() && !malformed; ++i) {
    FUZZ_REQUIRE(more[i].node == elements[i].node && more[i].proto == elements[i].proto &&
                 more[i].host == elements[i].host);
  }

  std::vector<config::Cidr> trusted(data[0] % 2 == 0 ? 0 : 1);
  if (!trusted.empty()) FUZZ_REQUIRE(config::parse("10.0.0.0/8", trusted.front()));
  spillway::http::RequestHead head;
  spillway::http::Field& sent = head.fields.emplace_back();
  sent.name = "forwarded";
  sent.value = field;
  sent.id = spillway::http::FieldName::forwarded;
  head.known |= 1u << static_cast<unsigned>(sent.id);
  const auto client = spillway::classify::client_address(head, "10.0.0.1", true, trusted);
  config::IpBytes address;
  FUZZ_REQUIRE(config::parse(client.address, address));
  FUZZ_REQUIRE(!malformed || client.address == "10.0.0.1");
  FUZZ_REQUIRE(client.host.empty() || spillway::http::is_authority(client.host));
  FUZZ_REQUIRE(client.proto.empty() || client.proto == "http" || client.proto == "https");
  return 0;
}
