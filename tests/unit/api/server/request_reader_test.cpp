// Requests are read from a connection's bytes within limits, however the bytes are cut.

#include "api/server/request_reader.hpp"

#include <vector>

#include <doctest/doctest.h>

namespace api {
namespace {

const LimitsConfig kLimits{.head = 1024, .body = 512};

/// Feeds the reader with at most `step` bytes at a time until it has a request or a refusal. Its last status.
int feed(RequestReader& reader, std::string_view& bytes, std::size_t step) {
  for (;;) {
    const int status = reader.advance();
    if (status != RequestReader::kMore || bytes.empty()) return status;
    const auto room = reader.room();
    REQUIRE(room.size() > 0);
    const std::size_t fits = std::min({bytes.size(), room.size(), step});
    boost::asio::buffer_copy(room, boost::asio::buffer(bytes.data(), fits));
    reader.received(fits);
    bytes.remove_prefix(fits);
  }
}

int status_of(std::string_view bytes, std::size_t step, const LimitsConfig& limits = kLimits) {
  RequestReader reader(limits);
  return feed(reader, bytes, step);
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

constexpr std::size_t kSteps[] = {1, 2, 3, 7, 100, 1000, 4096};
constexpr std::string_view kHead = "POST /a HTTP/1.1\r\nHost: a\r\n";
constexpr std::string_view kChunked = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST_CASE("A request has begun with its first byte, also when the parser has taken all bytes of its head so far") {
  const std::string request = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
  for (std::size_t step : {std::size_t{1}, std::size_t{2}, request.size()}) {
    RequestReader reader(kLimits);
    for (const bool second : {false, true}) {
      CAPTURE(second);
      if (second) reader.next();
      CHECK_FALSE(reader.begun());
      for (std::size_t length = 1; length < request.size(); length += step) {
        RequestReader cut(kLimits);
        std::string_view bytes = std::string_view(request).substr(0, length);
        CHECK(feed(cut, bytes, step) == RequestReader::kMore);
        CHECK(cut.begun());
      }
      std::string_view bytes = request;
      CHECK(feed(reader, bytes, step) == RequestReader::kRequest);
      CHECK(reader.begun());
    }
  }
}

TEST_CASE("A chunked body may be cut anywhere") {
  for (const auto& [chunks, body] : {std::pair{"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: t\r\n\r\n", "abcde"},
                                     {"1\r\na\r\n0\r\n\r\n", "a"},
                                     {"0\r\n\r\n", ""}}) {
    const std::string message = std::string(kChunked) + chunks;
    CAPTURE(message);
    for (std::size_t step = 1; step <= message.size(); ++step) {
      CAPTURE(step);
      RequestReader reader(kLimits);
      std::string_view bytes = message;
      REQUIRE(feed(reader, bytes, step) == RequestReader::kRequest);
      CHECK(reader.message().body() == body);
      CHECK(!reader.has_bytes());
    }
  }
}

TEST_CASE("A chunked body may be cut in any two places") {
  // With assertions on, Beast ends the program if it gets too few bytes of a last chunk.
  for (const std::string_view chunks :
       {"0\r\n\r\n", "00\r\n\r\n", "0;a\r\n\r\n", "0\r\nT: t\r\n\r\n", "1\r\n0\r\n0\r\n\r\n", "1\r\na\r\n0\r\n\r\n",
        "0", "0\r\n", "0\r\n\r", "0\r\nT", "0\r\n\rT", "0x\r\n", "0\r\nT: t\n\r\n\r\n", "0\r\n T\r\n\r\n",
        "0\r\nT:\r\n \r\n\r\n"}) {
    CAPTURE(chunks);
    const std::string message = std::string(kChunked) + std::string(chunks);
    const int expected = status_of(message, message.size());
    for (std::size_t first = kChunked.size(); first < message.size(); ++first) {
      for (std::size_t second = first; second < message.size(); ++second) {
        CAPTURE(first);
        CAPTURE(second);
        RequestReader reader(kLimits);
        int status = RequestReader::kMore;
        std::size_t from = 0;
        for (const std::size_t to : {first, second, message.size()}) {
          std::string_view piece = std::string_view(message).substr(from, to - from);
          if (status == RequestReader::kMore) status = feed(reader, piece, message.size());
          if (status == RequestReader::kMore) status = reader.advance();  // once more, with nothing new
          from = to;
        }
        CHECK(status == expected);
      }
    }
  }
}

TEST_CASE("A request without an end is refused at its limits") {
  struct {
    const char* what;
    std::string begin, endless;
    int status;
  } const cases[] = {
      {"a method", "", "x", 431},
      {"a target", "GET /", "x", 431},
      {"a field's name", "GET / HTTP/1.1\r\n", "x", 431},
      {"a field's value", "GET / HTTP/1.1\r\nX: ", "x", 431},
      {"a folded value", "GET / HTTP/1.1\r\nX: ", "x\r\n ", 431},
      {"fields", "GET / HTTP/1.1\r\n", "X-Field: a\r\n", 431},
      {"tiny fields", "GET / HTTP/1.1\r\n", "a:\r\n", 431},
      {"a chunk's line", std::string(kChunked) + "5;", "a", 400},
      {"a chunk's line in its quotes", std::string(kChunked) + "5;a=\"", "a", 400},
      {"a chunk's size", std::string(kChunked), "0", 400},
      {"the last chunk's line", std::string(kChunked) + "0;", "a", 400},
      {"a trailer's field", std::string(kChunked) + "0\r\nX: ", "a", 400},
      {"a trailer", std::string(kChunked) + "0\r\n", "X: a\r\n", 400},
      {"a second chunk's line", std::string(kChunked) + "1\r\na\r\n5;", "a", 400},
      {"content", std::string(kChunked), "1\r\na\r\n", 413},
      {"small chunks with long lines", std::string(kChunked), "1;" + std::string(500, 'a') + "\r\na\r\n", 400},
  };
  for (const auto& [what, begin, endless, status] : cases) {
    CAPTURE(what);
    const std::string bytes = begin + repeated(endless, 40'000 / endless.size());
    for (const std::size_t step : kSteps) {
      CAPTURE(step);
      CHECK(status_of(bytes, step) == status);
    }
  }
}

TEST_CASE("A head may be as long as its limit, however it is cut") {
  const auto head = [](std::size_t size) {
    std::string text = std::string(kHead) + "X: ";
    return text + std::string(size - text.size() - 4, 'x') + "\r\n\r\n";
  };
  for (const std::size_t step : kSteps) {
    CAPTURE(step);
    CHECK(status_of(head(kLimits.head), step) == RequestReader::kRequest);
    CHECK(status_of(head(kLimits.head + 1), step) == 431);
    // Every read ends behind a field. Beast's own limit never applies then.
    CHECK(status_of(std::string(kHead) + repeated("X-A: b\r\n", 1000), 8) == 431);
  }
}

TEST_CASE("A head has at most a hundred fields") {
  const auto fields = [](std::size_t count) { return std::string(kHead) + repeated("a:\r\n", count) + "\r\n"; };
  CHECK(status_of(fields(RequestParser::kMaxFields - 1), 4096) == RequestReader::kRequest);
  CHECK(status_of(fields(RequestParser::kMaxFields), 4096) == 431);
}

TEST_CASE("A field that is too long for Beast is refused without an exception, even with wide limits") {
  const LimitsConfig wide{.head = 1024 * 1024, .body = 512};
  for (const std::size_t size : {65'533u, 65'534u, 70'000u, 500'000u}) {
    CAPTURE(size);
    const int expected = size <= 65'533 ? 200 : 431;
    CHECK(status_of(std::string(kHead) + "X: " + std::string(size, 'x') + "\r\n\r\n", 4096, wide) == expected);
    CHECK(status_of(std::string(kHead) + std::string(size, 'x') + ": x\r\n\r\n", 4096, wide) == expected);
    CHECK(status_of(std::string(kChunked) + "0\r\nX: " + std::string(size, 'x') + "\r\n\r\n", 4096, wide) == 200);
  }
}

TEST_CASE("A body may be as long as its limit") {
  for (const std::size_t step : kSteps) {
    CAPTURE(step);
    const auto length = [](std::size_t size) {
      return std::string(kHead) + "Content-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x');
    };
    CHECK(status_of(length(512), step) == RequestReader::kRequest);
    CHECK(status_of(length(513), step) == 413);
    const auto chunks = [](std::size_t size) {
      return std::string(kChunked) + repeated("1\r\nx\r\n", size) + "0\r\n\r\n";
    };
    CHECK(status_of(chunks(512), step) == RequestReader::kRequest);
    CHECK(status_of(chunks(513), step) == 413);
  }
}

TEST_CASE("A trailer adds no field to the head") {
  RequestReader reader(kLimits);
  std::string_view bytes =
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\nX-Forwarded-For: 198.51.100.1\r\nAuthorization: Bearer x\r\n\r\n";
  REQUIRE(feed(reader, bytes, 4096) == RequestReader::kRequest);
  CHECK(reader.message().count("X-Forwarded-For") == 0);
  CHECK(reader.message().count("Authorization") == 0);
}

TEST_CASE("Pipelined requests are read one after the other and share nothing") {
  const std::string both =
      std::string(kHead) + "Content-Length: 3\r\nX: y\r\n\r\nabc" + "GET /b HTTP/1.1\r\nHost: b\r\n\r\n";
  for (const std::size_t step : kSteps) {
    CAPTURE(step);
    RequestReader reader(kLimits);
    std::string_view bytes = both;
    REQUIRE(feed(reader, bytes, step) == RequestReader::kRequest);
    CHECK(reader.message().target() == "/a");
    CHECK(reader.message().body() == "abc");
    reader.next();
    REQUIRE(feed(reader, bytes, step) == RequestReader::kRequest);
    CHECK(reader.message().target() == "/b");
    CHECK(reader.message().body().empty());
    CHECK(reader.message().count("X") == 0);
    reader.next();
    CHECK(reader.advance() == RequestReader::kMore);
  }
}

}  // namespace
}  // namespace api
