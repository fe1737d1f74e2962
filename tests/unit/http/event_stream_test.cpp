#include "proxy/http/event_stream.hpp"

#include <doctest/doctest.h>

namespace {

using namespace spillway::http;

TEST_CASE("a request asks for a stream by an upgrade to websocket, or if it accepts event streams alone") {
  struct Row {
    std::string_view accept;
    bool asks;
  };
  for (const Row& row :
       {Row{"text/event-stream", true}, Row{"Text/Event-Stream", true}, Row{"text/event-stream; charset=utf-8", true},
        Row{"application/json, text/event-stream", false}, Row{"text/event-stream, */*;q=0.1", false},
        Row{"text/event-streams", false}, Row{"*/*", false}, Row{"", false}}) {
    CAPTURE(row.accept);
    RequestHead request;
    request.fields.push_back({"Accept", row.accept});
    CHECK(asks_for_stream(request) == row.asks);
  }
  RequestHead request;
  CHECK_FALSE(asks_for_stream(request));
  request.upgrade_websocket = true;
  CHECK(asks_for_stream(request));
}

TEST_CASE("a response is an event stream by its type, if it succeeds and its length is unknown") {
  struct Row {
    int status;
    Framing framing;
    std::string_view type;
    bool is;
  };
  for (const Row& row :
       {Row{200, Framing::chunked, "text/event-stream", true},
        Row{200, Framing::until_close, "TEXT/EVENT-STREAM ;charset=utf-8", true},
        Row{200, Framing::length, "text/event-stream", false}, Row{200, Framing::none, "text/event-stream", false},
        Row{503, Framing::chunked, "text/event-stream", false}, Row{200, Framing::chunked, "text/plain", false}}) {
    CAPTURE(row.type);
    ResponseHead response;
    response.status = row.status;
    response.framing = row.framing;
    response.fields.push_back({"Content-Type", row.type});
    CHECK(is_event_stream(response) == row.is);
  }
}

}  // namespace
