#include "proxy/http2/response_fields.hpp"

#include <string>

#include <doctest/doctest.h>

#include "proxy/http/check.hpp"

namespace {

using namespace spillway;

std::string text_of(const http2::ResponseFields& fields) {
  std::string all;
  for (const auto& line : fields.lines()) {
    all.append(fields.text().substr(line.at, line.name_size)).append("=");
    all.append(fields.text().substr(line.at + line.name_size, line.value_size)).append("\n");
  }
  return all;
}

http::ResponseHead response(int status, std::vector<http::Field> fields, bool to_head = false) {
  http::ResponseHead head;
  head.status = status;
  head.fields = std::move(fields);
  CHECK_FALSE(http::check_response(to_head, head));
  return head;
}

TEST_CASE("a response is written in lower case, without hop-by-hop fields") {
  http2::ResponseFields fields;
  fields.write(response(200, {{"Content-Type", "a/B"},
                              {"Connection", "X-Hop"},
                              {"X-Hop", "1"},
                              {"Transfer-Encoding", "chunked"},
                              {"Keep-Alive", "1"},
                              {"Set-Cookie", "a"},
                              {"Via", "1.1 other"},
                              {"X-Request-ID", "api"},
                              {"Set-Cookie", "b"}}),
               "id", false);
  CHECK(text_of(fields) ==
        ":status=200\ncontent-type=a/B\nset-cookie=a\nset-cookie=b\nvia=1.1 other, 1.1 spillway\nx-request-id=id\n");
  fields.write(response(200, {{"Content-Length", "12"}, {"X-Request-ID", "api"}}), "", true);
  CHECK(text_of(fields) == ":status=200\nx-request-id=api\ncontent-length=12\n");
  fields.write(response(304, {{"Content-Length", "12"}}), "", true);
  CHECK(text_of(fields) == ":status=304\ncontent-length=12\n");
  fields.write(response(200, {{"Content-Length", "12"}}, true), "", true);
  CHECK(text_of(fields) == ":status=200\ncontent-length=12\n");
  fields.write(response(200, {}), "", false, "now");
  CHECK(text_of(fields) == ":status=200\ndate=now\nvia=1.1 spillway\n");
  fields.write(response(103, {{"Link", "x"}}), "", true);
  CHECK(text_of(fields) == ":status=103\nlink=x\n");
}

TEST_CASE("a head of any size is written whole") {
  http2::ResponseFields fields;
  std::string all = ":status=200\n";
  std::vector<http::Field> many;
  std::vector<std::string> names, values;
  for (std::size_t i = 0; i < 50; ++i) {
    names.push_back("x-" + std::string(i + 1, 'n'));
    values.push_back(std::string(37 * i, 'v'));
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    many.push_back({names[i], values[i]});
    all.append(names[i]).append("=").append(values[i]).append("\n");
  }
  fields.write(response(200, many), std::string(300, 'i'), false);
  CHECK(text_of(fields) == all + "via=1.1 spillway\nx-request-id=" + std::string(300, 'i') + "\n");
}

TEST_CASE("an agreed upgrade accepts the CONNECT") {
  http2::ResponseFields fields;
  fields.write(response(101, {{"Upgrade", "websocket"},
                              {"Connection", "Upgrade"},
                              {"Sec-WebSocket-Accept", "x"},
                              {"Sec-WebSocket-Protocol", "chat"}}),
               "", true);
  CHECK(text_of(fields) == ":status=200\nsec-websocket-protocol=chat\n");
}

}  // namespace
