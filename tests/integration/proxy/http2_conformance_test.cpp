// RFC 9113 sections 3 to 7, frame by frame. Each row names its section.

#include <doctest/doctest.h>

#include "tests/integration/proxy/http2_rows.hpp"

namespace spillway::test {
namespace {

const std::vector<Row> kRows{
    // 3, 4
    {"3.4: SETTINGS first, and acknowledged", [](H2Client& c) { CHECK(c.ping()); }, Expect::served},
    {"4.1: frame of an unknown type", [](H2Client& c) { c.frame(22, 0, 0, "12345678"); }, Expect::served},
    {"4.1: undefined flags", [](H2Client& c) { c.frame(h2::kPing, 0x16, 0, "12345678"); }, Expect::served},
    {"4.1: the reserved bit", [](H2Client& c) { c.frame(h2::kPing, 0, 0x80000000, "12345678"); }, Expect::served},
    {"4.2: DATA of the largest size",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.data(1, std::string(16'384, 'x'), true);
     },
     Expect::served},
    {"4.2: DATA beyond it",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.data(1, std::string(16'385, 'x'), true);
     },
     Expect::stream, h2::kFrameSizeError},
    {"4.2: HEADERS beyond it",
     [](H2Client& c) { c.frame(h2::kHeaders, kGet, 1, block(c) + std::string(16'384, '\x82')); }, Expect::connection,
     h2::kFrameSizeError},
    {"4.3: an invalid head",
     [](H2Client& c) { c.frame(h2::kHeaders, kGet, 1, std::string("\xff\xff\xff\xff\xff\xff", 6)); },
     Expect::connection, h2::kCompressionError},
    {"4.3: PRIORITY within a head",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndStream, 1, block(c));
       c.frame(h2::kPriority, 0, 1, four(0) + "\xff");
     },
     Expect::connection, h2::kProtocolError},
    {"4.3: HEADERS of another stream within a head",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndStream, 1, block(c));
       c.frame(h2::kHeaders, kGet, 3, block(c));
     },
     Expect::connection, h2::kProtocolError},
    // 5.1
    {"5.1: DATA on an idle stream", [](H2Client& c) { c.data(1, "x", true); }, Expect::connection, h2::kProtocolError},
    {"5.1: RST_STREAM on an idle stream", [](H2Client& c) { c.reset(1); }, Expect::connection, h2::kProtocolError},
    {"5.1: WINDOW_UPDATE on an idle stream", [](H2Client& c) { c.frame(h2::kWindowUpdate, 0, 1, four(100)); },
     Expect::connection, h2::kProtocolError},
    {"5.1: CONTINUATION on an idle stream", [](H2Client& c) { c.frame(h2::kContinuation, kGet, 1, block(c)); },
     Expect::connection, h2::kProtocolError},
    {"5.1: DATA when half closed",
     [](H2Client& c) {
       c.start("GET", "/held");
       c.data(1, "x", true);
     },
     Expect::stream, h2::kStreamClosed},
    {"5.1: HEADERS when half closed",
     [](H2Client& c) {
       c.start("GET", "/held");
       c.frame(h2::kHeaders, kGet, 1, block(c));
     },
     Expect::stream, h2::kStreamClosed},
    {"5.1: CONTINUATION when half closed",
     [](H2Client& c) {
       c.start("GET", "/held");
       c.frame(h2::kContinuation, kGet, 1, block(c));
     },
     Expect::connection, h2::kProtocolError},
    {"5.1: DATA after RST_STREAM",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.reset(1);
       c.data(1, "x", true);
     },
     Expect::stream, h2::kStreamClosed},
    {"5.1: HEADERS after RST_STREAM",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.reset(1);
       c.frame(h2::kHeaders, kGet, 1, block(c));
     },
     Expect::stream, h2::kStreamClosed},
    {"5.1: CONTINUATION after RST_STREAM",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.reset(1);
       c.frame(h2::kContinuation, kGet, 1, block(c));
     },
     Expect::connection, h2::kProtocolError},
    {"5.1: DATA when closed",
     [](H2Client& c) {
       c.get("/");
       c.data(1, "x", true);
     },
     Expect::connection, h2::kStreamClosed},
    {"5.1: HEADERS when closed",
     [](H2Client& c) {
       c.get("/");
       c.frame(h2::kHeaders, kGet, 1, block(c));
     },
     Expect::connection, h2::kStreamClosed},
    {"5.1: CONTINUATION when closed",
     [](H2Client& c) {
       c.get("/");
       c.frame(h2::kContinuation, kGet, 1, block(c));
     },
     Expect::connection, h2::kProtocolError},
    {"5.1: WINDOW_UPDATE, PRIORITY and RST_STREAM when closed",
     [](H2Client& c) {
       c.get("/");
       c.frame(h2::kWindowUpdate, 0, 1, four(1));
       c.frame(h2::kPriority, 0, 1, four(0) + "\x10");
       c.reset(1);
     },
     Expect::served},
    {"5.1: PRIORITY on an idle stream", [](H2Client& c) { c.frame(h2::kPriority, 0, 99, four(3) + "\x10"); },
     Expect::served},
    {"5.1: WINDOW_UPDATE when half closed",
     [](H2Client& c) {
       c.frame(h2::kSettings, 0, 0, setting(4, 0));
       c.frame(h2::kHeaders, kGet, 1, block(c));
       c.frame(h2::kWindowUpdate, 0, 1, four(100));
       c.frame(h2::kSettings, 0, 0, setting(4, 65'535));
     },
     Expect::answered, 200},
    {"5.1: PRIORITY when half closed",
     [](H2Client& c) {
       c.frame(h2::kSettings, 0, 0, setting(4, 0));
       c.frame(h2::kHeaders, kGet, 1, block(c));
       c.frame(h2::kPriority, 0, 1, four(0) + "\xff");
       c.frame(h2::kWindowUpdate, 0, 1, four(100));
       c.frame(h2::kSettings, 0, 0, setting(4, 65'535));
     },
     Expect::answered, 200},
    {"5.1: RST_STREAM when half closed",
     [](H2Client& c) {
       c.start("GET", "/held");
       c.reset(1);
     },
     Expect::served},
    {"5.1: PRIORITY on a greater idle stream, before a smaller one is used",
     [](H2Client& c) {
       c.frame(h2::kPriority, 0, 3, four(0) + "\xff");
       c.frame(h2::kHeaders, kGet, 1, block(c));
     },
     Expect::answered, 200},
    {"5.1: DATA behind trailers",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, c.encode(H2Client::request("POST", "/")));
       c.frame(h2::kHeaders, kGet, 1, c.encode({{"x", "1"}}));
       c.data(1, "x", true);
     },
     Expect::stream, h2::kStreamClosed},
    {"5.1.1: an even stream", [](H2Client& c) { c.frame(h2::kHeaders, kGet, 2, block(c)); }, Expect::connection,
     h2::kProtocolError},
    {"5.1.1: a smaller stream than before",
     [](H2Client& c) {
       c.frame(h2::kHeaders, kGet, 5, block(c));
       c.frame(h2::kHeaders, kGet, 3, block(c));
     },
     Expect::connection, h2::kProtocolError},
    {"5.3.1: HEADERS that depend on themselves",
     [](H2Client& c) { c.frame(h2::kHeaders, kGet | h2::kHasPriority, 1, four(1) + "\x10" + block(c)); },
     Expect::stream, h2::kProtocolError},
    {"5.3.1: PRIORITY that depends on itself", [](H2Client& c) { c.frame(h2::kPriority, 0, 1, four(1) + "\x10"); },
     Expect::stream, h2::kProtocolError},
    {"5.3.2: HEADERS with a priority",
     [](H2Client& c) { c.frame(h2::kHeaders, kGet | h2::kHasPriority, 1, four(0x80000000) + "\x10" + block(c)); },
     Expect::served},
    {"5.3.2: PRIORITY of the least and the greatest weight, with a dependency, and exclusive",
     [](H2Client& c) {
       c.frame(h2::kPriority, 0, 1, four(0) + std::string(1, '\0'));
       c.frame(h2::kPriority, 0, 1, four(0) + "\xff");
       c.frame(h2::kPriority, 0, 3, four(1) + "\xff");
       c.frame(h2::kPriority, 0, 1, four(0x80000000) + "\x10");
     },
     Expect::served},
    {"5.4.1: GOAWAY goes before the end of the connection", [](H2Client& c) { c.frame(h2::kPing, 0, 0); },
     Expect::connection, h2::kFrameSizeError},
    {"5.5: an unknown frame on a stream, behind its end",
     [](H2Client& c) {
       c.get("/");
       c.frame(22, 0xff, 1, "12345678");
     },
     Expect::served},
    {"5.5: an unknown frame within a head",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndStream, 1, block(c));
       c.frame(22, 0, 1, "x");
     },
     Expect::connection, h2::kProtocolError},
    // 6.1 to 6.4
    {"6.1: a body in one frame",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.data(1, "x", true);
     },
     Expect::answered, 200},
    {"6.1: a body in several frames, the last one empty",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.data(1, "x");
       c.data(1, "y");
       c.data(1, "", true);
     },
     Expect::answered, 200},
    {"6.1: DATA that is padded and has no room for the length of that",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.frame(h2::kData, h2::kEndStream | h2::kPadded, 1);
     },
     Expect::connection, h2::kProtocolError},
    {"6.1: DATA on stream 0", [](H2Client& c) { c.data(0, "x", true); }, Expect::connection, h2::kProtocolError},
    {"6.1: padding as long as the payload",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.frame(h2::kData, h2::kEndStream | h2::kPadded, 1, std::string("\x06") + "Test");
     },
     Expect::connection, h2::kProtocolError},
    {"6.1: DATA with padding",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.frame(h2::kData, h2::kEndStream | h2::kPadded, 1, std::string("\x02xyz\0\0", 6));
     },
     Expect::served},
    {"6.2: HEADERS on stream 0", [](H2Client& c) { c.frame(h2::kHeaders, kGet, 0, block(c)); }, Expect::connection,
     h2::kProtocolError},
    {"6.2: HEADERS with padding",
     [](H2Client& c) {
       c.frame(h2::kHeaders, kGet | h2::kPadded, 1, std::string(1, '\x04') + block(c) + std::string(4, '\0'));
     },
     Expect::served},
    {"6.2: HEADERS without room for a priority",
     [](H2Client& c) { c.frame(h2::kHeaders, kGet | h2::kHasPriority, 1, "1234"); }, Expect::connection,
     h2::kFrameSizeError},
    {"6.2: HEADERS with too much padding",
     [](H2Client& c) { c.frame(h2::kHeaders, kGet | h2::kPadded, 1, std::string(1, '\xff') + block(c)); },
     Expect::connection, h2::kProtocolError},
    {"6.3: PRIORITY on stream 0", [](H2Client& c) { c.frame(h2::kPriority, 0, 0, four(0) + "\x10"); },
     Expect::connection, h2::kProtocolError},
    {"6.3: PRIORITY of another length", [](H2Client& c) { c.frame(h2::kPriority, 0, 1, "1234"); }, Expect::stream,
     h2::kFrameSizeError},
    {"6.3: a short PRIORITY", [](H2Client& c) { c.frame(h2::kPriority, 0, 1, "1"); }, Expect::stream,
     h2::kFrameSizeError},
    {"6.4: RST_STREAM on stream 0", [](H2Client& c) { c.reset(0); }, Expect::connection, h2::kProtocolError},
    {"6.4: RST_STREAM of another length",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.frame(h2::kRst, 0, 1, "123");
     },
     Expect::connection, h2::kFrameSizeError},
    {"6.4: RST_STREAM",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.reset(1);
     },
     Expect::served},
    // 6.5
    {"6.5: an acknowledgement with a payload", [](H2Client& c) { c.frame(h2::kSettings, h2::kAck, 0, setting(3, 1)); },
     Expect::connection, h2::kFrameSizeError},
    {"6.5: SETTINGS on a stream", [](H2Client& c) { c.frame(h2::kSettings, 0, 1, setting(3, 1)); }, Expect::connection,
     h2::kProtocolError},
    {"6.5: SETTINGS of another length", [](H2Client& c) { c.frame(h2::kSettings, 0, 0, "123"); }, Expect::connection,
     h2::kFrameSizeError},
    {"6.5.2: ENABLE_PUSH of 2", [](H2Client& c) { c.frame(h2::kSettings, 0, 0, setting(2, 2)); }, Expect::connection,
     h2::kProtocolError},
    {"6.5.2: too large a window", [](H2Client& c) { c.frame(h2::kSettings, 0, 0, setting(4, 0x80000000)); },
     Expect::connection, h2::kFlowControlError},
    {"6.5.2: too small a frame", [](H2Client& c) { c.frame(h2::kSettings, 0, 0, setting(5, 16'383)); },
     Expect::connection, h2::kProtocolError},
    {"6.5.2: too large a frame", [](H2Client& c) { c.frame(h2::kSettings, 0, 0, setting(5, 16'777'216)); },
     Expect::connection, h2::kProtocolError},
    {"6.5.2: an unknown setting", [](H2Client& c) { c.frame(h2::kSettings, 0, 0, setting(255, 1)); }, Expect::served},
    {"6.5.3: repeated settings",
     [](H2Client& c) { c.frame(h2::kSettings, 0, 0, setting(4, 100) + setting(4, 70'000)); }, Expect::served},
    {"6.5.2: all settings at once",
     [](H2Client& c) {
       c.frame(h2::kSettings, 0, 0,
               setting(1, 0) + setting(2, 0) + setting(3, 0) + setting(4, 0x7fffffff) + setting(5, 16'777'215) +
                   setting(6, 1'000'000));
     },
     Expect::served},
    {"9218 2.1: NO_RFC7540_PRIORITIES of 2", [](H2Client& c) { c.frame(h2::kSettings, 0, 0, setting(9, 2)); },
     Expect::connection, h2::kProtocolError},
    // 6.7 to 6.10
    {"6.7: PING on a stream", [](H2Client& c) { c.frame(h2::kPing, 0, 1, "12345678"); }, Expect::connection,
     h2::kProtocolError},
    {"6.7: PING of another length", [](H2Client& c) { c.frame(h2::kPing, 0, 0, "123456"); }, Expect::connection,
     h2::kFrameSizeError},
    {"6.7: an acknowledgement is not answered", [](H2Client& c) { c.frame(h2::kPing, h2::kAck, 0, "87654321"); },
     Expect::served},
    {"6.8: GOAWAY on a stream", [](H2Client& c) { c.frame(h2::kGoaway, 0, 1, four(0) + four(0)); }, Expect::connection,
     h2::kProtocolError},
    {"6.8: a short GOAWAY", [](H2Client& c) { c.frame(h2::kGoaway, 0, 0, "1234"); }, Expect::connection,
     h2::kFrameSizeError},
    {"6.9: WINDOW_UPDATE of the connection and of a stream",
     [](H2Client& c) {
       c.frame(h2::kWindowUpdate, 0, 0, four(1));
       c.frame(h2::kHeaders, kGet, 1, block(c));
       c.frame(h2::kWindowUpdate, 0, 1, four(1));
     },
     Expect::answered, 200},
    {"6.9: WINDOW_UPDATE of 0", [](H2Client& c) { c.frame(h2::kWindowUpdate, 0, 0, four(0)); }, Expect::connection,
     h2::kProtocolError},
    {"6.9: WINDOW_UPDATE of 0 on a stream",
     [](H2Client& c) {
       c.start("GET", "/held");
       c.frame(h2::kWindowUpdate, 0, 1, four(0));
     },
     Expect::stream, h2::kProtocolError},
    {"6.9: WINDOW_UPDATE of another length", [](H2Client& c) { c.frame(h2::kWindowUpdate, 0, 0, "123"); },
     Expect::connection, h2::kFrameSizeError},
    {"6.9.1: too large a window",
     [](H2Client& c) {
       c.frame(h2::kWindowUpdate, 0, 0, four(0x7fffffff));
       c.frame(h2::kWindowUpdate, 0, 0, four(0x7fffffff));
     },
     Expect::connection, h2::kFlowControlError},
    {"6.9.1: too large a window of a stream",
     [](H2Client& c) {
       c.start("GET", "/held");
       c.frame(h2::kWindowUpdate, 0, 1, four(0x7fffffff));
       c.frame(h2::kWindowUpdate, 0, 1, four(0x7fffffff));
     },
     Expect::stream, h2::kFlowControlError},
    {"6.10: CONTINUATION frames",
     [](H2Client& c) {
       const std::string all = block(c, {{"x", "y"}});
       c.frame(h2::kHeaders, h2::kEndStream, 1, all.substr(0, 3));
       c.frame(h2::kContinuation, 0, 1, all.substr(3, 3));
       c.frame(h2::kContinuation, h2::kEndHeaders, 1, all.substr(6));
     },
     Expect::served},
    {"6.10: CONTINUATION on stream 0",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndStream, 1, block(c));
       c.frame(h2::kContinuation, h2::kEndHeaders, 0, "");
     },
     Expect::connection, h2::kProtocolError},
    {"6.10: CONTINUATION behind a whole head",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.frame(h2::kContinuation, h2::kEndHeaders, 1, block(c));
     },
     Expect::connection, h2::kProtocolError},
    {"6.10: CONTINUATION behind one that ends the head",
     [](H2Client& c) {
       const std::string all = post(c);
       c.frame(h2::kHeaders, 0, 1, all.substr(0, 3));
       c.frame(h2::kContinuation, h2::kEndHeaders, 1, all.substr(3));
       c.frame(h2::kContinuation, h2::kEndHeaders, 1, block(c));
     },
     Expect::connection, h2::kProtocolError},
    {"6.10: an empty HEADERS, and the head in CONTINUATION",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndStream, 1);
       c.frame(h2::kContinuation, h2::kEndHeaders, 1, block(c));
     },
     Expect::answered, 200},
    {"6.10: DATA behind CONTINUATION frames",
     [](H2Client& c) {
       const std::string all = post(c);
       c.frame(h2::kHeaders, 0, 1, all.substr(0, 3));
       c.frame(h2::kContinuation, 0, 1, all.substr(3));
       c.data(1, "x");
     },
     Expect::connection, h2::kProtocolError},
    {"6.10: DATA before CONTINUATION",
     [](H2Client& c) {
       c.frame(h2::kHeaders, 0, 1, post(c));
       c.data(1, "x");
       c.frame(h2::kContinuation, h2::kEndHeaders, 1, "");
     },
     Expect::connection, h2::kProtocolError},
    // 7
    {"7: RST_STREAM with an unknown code",
     [](H2Client& c) {
       c.frame(h2::kHeaders, h2::kEndHeaders, 1, post(c));
       c.reset(1, 0xff);
     },
     Expect::served},
};

TEST_CASE("frames, streams and errors as RFC 9113 wants them") {
  check_all(kRows);
}

}  // namespace
}  // namespace spillway::test
