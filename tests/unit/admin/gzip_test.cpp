// Compressed pages.

#include "proxy/admin/gzip.hpp"

#include <boost/beast/zlib/inflate_stream.hpp>
#include <doctest/doctest.h>

namespace spillway::admin {
namespace {

std::string inflated(std::string_view gzipped, std::size_t size) {
  namespace zlib = boost::beast::zlib;
  REQUIRE(gzipped.size() >= 18);
  zlib::inflate_stream inflate;
  std::string out(size + 1, '\0');
  zlib::z_params zs;
  zs.next_in = gzipped.data() + 10;
  zs.avail_in = gzipped.size() - 18;
  zs.next_out = out.data();
  zs.avail_out = out.size();
  boost::beast::error_code error;
  inflate.write(zs, zlib::Flush::sync, error);
  CHECK((!error || error == zlib::error::end_of_stream));
  out.resize(zs.total_out);
  return out;
}

TEST_CASE("a compressed page is smaller, and the same once it is read") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "spillway_requests_total{class=\"normal\"} " + std::to_string(i * 7919) + '\n';
  const std::string small = gzip(text);
  CHECK(small.starts_with("\x1f\x8b\x08"));
  CHECK(small.size() < text.size() / 4);
  CHECK(inflated(small, text.size()) == text);
  CHECK(inflated(gzip(""), 0).empty());
  // CRC-32 and size of "123456789", as RFC 1952 orders their bytes.
  CHECK(gzip("123456789").ends_with(std::string_view("\x26\x39\xf4\xcb\x09\x00\x00\x00", 8)));
}

TEST_CASE("a page is compressed for who accepts it") {
  CHECK(accepts_gzip("gzip"));
  CHECK(accepts_gzip("deflate, GZIP;q=0.5"));
  CHECK(accepts_gzip("br, *"));
  CHECK_FALSE(accepts_gzip(""));
  CHECK_FALSE(accepts_gzip("identity"));
  CHECK_FALSE(accepts_gzip("gzip;q=0, *"));
  CHECK_FALSE(accepts_gzip("gzip; q=0.000"));
  CHECK_FALSE(accepts_gzip("xgzip"));
}

}  // namespace
}  // namespace spillway::admin
