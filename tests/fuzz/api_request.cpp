// Reads the bytes of a connection with the loop of a client connection. The result must be requests within their
// limits, which routes and parsers accept, and then a refusal or a wait for more bytes. It must not depend on how the
// bytes are cut. Input: a byte of options, one to eight bytes that say where to cut, the bytes of the connection.

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>

#include "api/endpoints/input.hpp"
#include "api/server/request.hpp"
#include "api/server/request_reader.hpp"
#include "api/server/route.hpp"
#include "proxy/text/request_id.hpp"
#include "proxy/tracing/ids.hpp"
#include "tests/fuzz/require.hpp"

using namespace api;

namespace {

const LimitsConfig kLimits{.head = 1024, .body = 512};
constexpr std::string_view kPeer = "192.0.2.7";

/// The loop of a client connection: reads what fits into the reader's buffer, cut as `cuts` says. The last status.
int read(RequestReader& reader, std::string_view& bytes, std::string_view cuts) {
  for (std::size_t turn = 0;; ++turn) {
    const int status = reader.advance();
    FUZZ_REQUIRE(status == RequestReader::kMore || status == RequestReader::kRequest || status == 400 ||
                 status == 413 || status == 431 || status == 501);
    if (status != RequestReader::kMore || bytes.empty()) return status;
    const auto room = reader.room();
    FUZZ_REQUIRE(room.size() > 0 && room.size() <= RequestReader::kReadBytes);
    std::size_t fits = std::min(bytes.size(), room.size());
    if (!cuts.empty()) fits = std::min<std::size_t>(fits, 1u + static_cast<unsigned char>(cuts[turn % cuts.size()]));
    boost::asio::buffer_copy(room, boost::asio::buffer(bytes.data(), fits));
    reader.received(fits);
    bytes.remove_prefix(fits);
  }
}

/// Which fault is found first may depend on the cuts. Whether there is a request, and what it contains, must not.
void require_same(int whole_status, const RequestReader& whole, int cut_status, const RequestReader& cut) {
  FUZZ_REQUIRE((whole_status == RequestReader::kRequest) == (cut_status == RequestReader::kRequest));
  if (whole_status != RequestReader::kRequest) return;
  FUZZ_REQUIRE(whole.message().target() == cut.message().target());
  FUZZ_REQUIRE(whole.message().body() == cut.message().body());
  FUZZ_REQUIRE(whole.keep_alive() == cut.keep_alive());
}

/// Each kind of route. The handlers are not called: they need a database.
constexpr Route kRoutes[] = {
    {"/api/v1/search", Method::get, nullptr, Endpoint::search},
    {"/api/v1/scholarships/", Method::get, nullptr, Endpoint::scholarship},
    {"/api/v1/scholarships", Method::get, nullptr, Endpoint::scholarships},
    {"/api/v1/auth/login", Method::post, nullptr, Endpoint::login, Access::open},
};

/// What the endpoints read of a request.
void handle(const Request& request) {
  const RouteMatch match = match_route(kRoutes, request.method, request.path);
  if (!match.route) return;
  FUZZ_REQUIRE(!match.method_allowed || request.method != Method::other);
  FUZZ_REQUIRE(match.route->path.ends_with('/') == !match.id.empty());
  FUZZ_REQUIRE(match.id.find('/') == std::string_view::npos);
  (void)parse_id(match.id);
  (void)parse_search(request.query);
  (void)parse_list(request.query);
  (void)parse_credentials(request.content_type, request.body);
  (void)parse_eligibility(request.body);
}

void take(const Message& message, bool trusted) {
  FUZZ_REQUIRE(message.body().size() <= kLimits.body);
  FUZZ_REQUIRE(std::distance(message.begin(), message.end()) <= static_cast<long>(RequestParser::kMaxFields));
  Interrupt interrupt;
  std::string made_up_id;
  const Request request = make_request(message, {kPeer, trusted}, made_up_id, {0, interrupt});
  FUZZ_REQUIRE(request.path.starts_with('/') && request.path.find('?') == std::string_view::npos);
  FUZZ_REQUIRE(text::valid_request_id(request.request_id));
  config::IpBytes address;
  FUZZ_REQUIRE(config::parse(request.client, address));
  FUZZ_REQUIRE(trusted || request.client == kPeer);
  const std::string_view parent = traceparent_of(message, {kPeer, trusted});
  FUZZ_REQUIRE(trusted || parent.empty());
  if (tracing::valid_traceparent(parent)) FUZZ_REQUIRE(tracing::span_id(parent).size() == 16);
  handle(request);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool trusted = (data[0] & 1u) != 0;
  const std::size_t cut_count = std::min<std::size_t>((data[0] >> 1) % 8 + 1u, size - 1);
  const std::string_view cuts(reinterpret_cast<const char*>(data) + 1, cut_count);
  const std::string_view bytes(cuts.data() + cut_count, size - 1 - cut_count);

  std::string_view left = bytes, cut_left = bytes;
  RequestReader whole(kLimits), cut(kLimits);
  for (;;) {
    const int status = read(whole, left, {});
    const int cut_status = read(cut, cut_left, cuts);
    require_same(status, whole, cut_status, cut);
    if (status != RequestReader::kRequest) return 0;
    take(whole.message(), trusted);
    whole.next();
    cut.next();
  }
}
