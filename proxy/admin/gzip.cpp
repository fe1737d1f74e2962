#include "proxy/admin/gzip.hpp"

#include <cstdint>

#include <boost/beast/zlib/deflate_stream.hpp>
#include <boost/crc.hpp>

#include "proxy/text/accept.hpp"

namespace spillway::admin {

namespace {

namespace beast = boost::beast;

/// Of RFC 1952, section 2.3: magic number, deflate, no flags, no time, fastest, unknown system.
constexpr std::string_view kHeader{"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff", 10};
constexpr int kWindowBits = 15, kMemoryLevel = 8;

void append_little_endian(std::string& out, std::uint32_t number) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>((number >> shift) & 0xff);
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  const int gzip = text::accepted_weight(accept_encoding, "gzip");
  return gzip > 0 || (gzip < 0 && text::accepted_weight(accept_encoding, "*") > 0);
}

std::string gzip(std::string_view text) {
  beast::zlib::deflate_stream deflate;
  deflate.reset(1, kWindowBits, kMemoryLevel, beast::zlib::Strategy::normal);
  std::string out(kHeader);
  const std::size_t begin = out.size();
  out.resize(begin + deflate.upper_bound(text.size()));
  beast::zlib::z_params zs;
  zs.next_in = text.data();
  zs.avail_in = text.size();
  zs.next_out = out.data() + begin;
  zs.avail_out = out.size() - begin;
  beast::error_code error;
  deflate.write(zs, beast::zlib::Flush::finish, error);  // ends with end_of_stream: the room is enough
  out.resize(begin + zs.total_out);
  boost::crc_32_type crc;
  crc.process_bytes(text.data(), text.size());
  append_little_endian(out, crc.checksum());
  append_little_endian(out, static_cast<std::uint32_t>(text.size()));
  return out;
}

}  // namespace spillway::admin
