// What the API makes of a connection's bytes: refused with a status of its own, or a request within its limits, the
// same however the bytes are cut, whose parts its handlers can take. Input: a byte of options, a byte that says where
// the bytes are split, the bytes.

#include <cstdint>
#include <optional>
#include <string>

#include "api/endpoints/input.hpp"
#include "api/server/request.hpp"
#include "api/server/routes.hpp"
#include "proxy/text/request_id.hpp"
#include "tests/fuzz/require.hpp"

using namespace api;

namespace {

const LimitsConfig kLimits{.head = 1024, .body = 512};
constexpr std::string_view kPeer = "192.0.2.7";

/// What a session sees: 0 while more is wanted, 200 for a request, else what it answers. `used` bytes belong to it.
struct Reading {
  Reading() { set_limits(parser, kLimits); }

  int status = 0;
  std::size_t used = 0;
  Parser parser;

  /// All bytes that have come so far.
  void look(std::string_view bytes) {
    while (status == 0 && used < bytes.size()) {
      boost::system::error_code error;
      const std::size_t taken = parser.put(boost::asio::buffer(bytes.substr(used)), error);
      used += taken;
      if (error && error != boost::beast::http::error::need_more) {
        status = status_of(error);
      } else if (parser.is_done()) {
        status = 200;
      } else if (taken == 0) {
        return;
      }
    }
  }
};

/// When a fault is seen, and whether a head is too long, depends on the cut; what a request says does not.
void require_same(Reading& whole, Reading& split) {
  if (whole.status != 200 || split.status != 200) return;
  FUZZ_REQUIRE(whole.used == split.used);
  FUZZ_REQUIRE(whole.parser.get().target() == split.parser.get().target());
  FUZZ_REQUIRE(whole.parser.get().body() == split.parser.get().body());
}

void handle(const Request& request) {
  const Route route = find_route(request.method, request.path);
  FUZZ_REQUIRE(route.outcome == Route::Outcome::no_such_path || !route.allow.empty());
  if (route.outcome != Route::Outcome::found) return;
  FUZZ_REQUIRE(request.method != Method::other);
  switch (route.endpoint) {
    case Endpoint::search:
      (void)parse_search(request.query);
      break;
    case Endpoint::scholarships:
      (void)parse_list(request.query);
      break;
    case Endpoint::scholarship:
      FUZZ_REQUIRE(!route.id.empty() && route.id.find('/') == std::string_view::npos);
      (void)parse_id(route.id);
      break;
    case Endpoint::eligibility:
      (void)parse_eligibility(request.body);
      break;
    case Endpoint::login:
      (void)parse_credentials(request.content_type, request.body);
      break;
    case Endpoint::openapi:
    case Endpoint::health:
    case Endpoint::ready:
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  // A copy of just its size, so that the sanitizer sees a step beyond it.
  const std::vector<char> copy(data + 2, data + size);
  const std::string_view bytes(copy.data(), copy.size());

  Reading whole, split;
  whole.look(bytes);
  split.look(bytes.substr(0, data[1]));
  split.look(bytes);
  require_same(whole, split);
  const int status = whole.status;
  FUZZ_REQUIRE(status == 0 || status == 200 || status == 400 || status == 413 || status == 431);
  if (status != 200) return 0;

  const Parser::value_type& message = whole.parser.get();
  FUZZ_REQUIRE(message.body().size() <= kLimits.body);
  if (!is_sound(message)) return 0;
  const bool trusted = (data[0] & 1u) != 0;
  Interrupt interrupt;
  std::string made_up_id;
  const Request request = make_request(message, {kPeer, trusted}, made_up_id, {0, interrupt});
  FUZZ_REQUIRE(request.path.starts_with('/') && request.path.find('?') == std::string_view::npos);
  FUZZ_REQUIRE(text::valid_request_id(request.request_id));
  config::IpBytes address;
  FUZZ_REQUIRE(config::parse(request.client, address));
  FUZZ_REQUIRE(trusted || request.client == kPeer);
  handle(request);
  return 0;
}
