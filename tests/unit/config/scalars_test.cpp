#include <doctest/doctest.h>

#include "config/address.hpp"
#include "config/cidr.hpp"
#include "config/fields.hpp"
#include "proxy/config/fields.hpp"

namespace {

using namespace std::chrono_literals;
using config::Duration;

/// The canonical form of a text for a scalar; "refused" if the scalar does not accept it.
std::string canonical(const config::Scalar& scalar, std::string_view text) {
  const std::string before = scalar.print().value_or("");
  if (!scalar.set(text)) {
    CHECK(scalar.print().value_or("") == before);
    return "refused";
  }
  const std::string printed = scalar.print().value_or("");
  CHECK(scalar.set(printed));
  CHECK(scalar.print() == printed);
  return printed;
}

struct Row {
  std::string_view text;
  std::string_view printed;
};

template <std::size_t N>
void check_rows(const config::Scalar& scalar, const Row (&rows)[N]) {
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(canonical(scalar, row.text) == row.printed);
  }
}

TEST_CASE("a duration is a number with a unit, seconds by default") {
  Duration value = 42s;
  check_rows(config::duration(value, {0s, 24h}),
             {{"0", "0s"},          {"0s", "0s"},        {"100us", "100us"}, {"250ms", "250ms"},
              {"1500ms", "1500ms"}, {"5s", "5s"},        {"5", "5s"},        {"0.5", "500ms"},
              {"1.5s", "1500ms"},   {"0.25ms", "250us"}, {"60s", "1m"},      {"90s", "90s"},
              {"30m", "30m"},       {"60m", "1h"},       {"24h", "24h"},     {"0.001us", "refused"},
              {"25h", "refused"},   {"-5s", "refused"},  {"-1", "refused"},  {"5 s", "refused"},
              {"5sec", "refused"},  {"s", "refused"},    {"", "refused"},    {"1e3", "refused"},
              {"5S", "refused"},    {"1d", "refused"},   {".5", "refused"},  {"5.", "refused"},
              {"1.2.3", "refused"}, {"inf", "refused"},  {"nan", "refused"}, {"0x10", "refused"},
              {"010", "refused"},   {"+5", "refused"},   {" 5", "refused"},  {"99999999999999999999h", "refused"},
              {"1h30m", "refused"}});
  SUBCASE("both ends of the range are in it") {
    const auto scalar = config::duration(value, {10ms, 20ms});
    CHECK(scalar.words == "a duration from 10ms to 20ms");
    CHECK(canonical(scalar, "10ms") == "10ms");
    CHECK(canonical(scalar, "20ms") == "20ms");
    CHECK(canonical(scalar, "9999us") == "refused");
    CHECK(canonical(scalar, "20001us") == "refused");
  }
}

TEST_CASE("a size is a number of bytes, or one with a unit") {
  std::uint64_t value = 1;
  check_rows(config::size(value, {0, 1ULL << 40U}), {{"0", "0"},
                                                     {"512", "512"},
                                                     {"1024", "1KiB"},
                                                     {"16KiB", "16KiB"},
                                                     {"1500KiB", "1500KiB"},
                                                     {"10MiB", "10MiB"},
                                                     {"2GiB", "2GiB"},
                                                     {"1024GiB", "1024GiB"},
                                                     {"1025GiB", "refused"},
                                                     {"16K", "refused"},
                                                     {"16kib", "refused"},
                                                     {"16KB", "refused"},
                                                     {"1.5MiB", "refused"},
                                                     {"KiB", "refused"},
                                                     {"-1", "refused"},
                                                     {"", "refused"},
                                                     {"99999999999999999999", "refused"},
                                                     {"18446744073709551615GiB", "refused"}});
}

TEST_CASE("integers, numbers and flags have strict forms") {
  int integer = 5;
  check_rows(config::integer(integer, {-3, 100}), {{"1", "1"},
                                                   {"100", "100"},
                                                   {"-3", "-3"},
                                                   {"101", "refused"},
                                                   {"-4", "refused"},
                                                   {"1.0", "refused"},
                                                   {"1_0", "refused"},
                                                   {"010", "refused"},
                                                   {"0x1", "refused"},
                                                   {"+1", "refused"},
                                                   {"", "refused"},
                                                   {"-", "refused"},
                                                   {"99999999999", "refused"},
                                                   {"1 ", "refused"}});
  double number = 0.5;
  check_rows(config::number(number, {0, 1}), {{"0", "0"},
                                              {"1", "1"},
                                              {"1.00", "1"},
                                              {"0.80", "0.8"},
                                              {"1.01", "refused"},
                                              {"-0.1", "refused"},
                                              {"1e-1", "refused"},
                                              {".5", "refused"},
                                              {"5%", "refused"},
                                              {"nan", "refused"},
                                              {"inf", "refused"},
                                              {"", "refused"}});
  bool flag = false;
  check_rows(config::flag(flag), {{"true", "true"},
                                  {"false", "false"},
                                  {"yes", "refused"},
                                  {"True", "refused"},
                                  {"1", "refused"},
                                  {"", "refused"}});
}

TEST_CASE("an address is a host and a port, a unix socket or a descriptor") {
  config::Address value = config::Address::tcp("localhost", 1);
  const std::string long_path(108, 'p');
  check_rows(config::parsed(value), {{"0.0.0.0:8080", "0.0.0.0:8080"},
                                     {"localhost:80", "localhost:80"},
                                     {"api.internal:1", "api.internal:1"},
                                     {"[::1]:80", "[::1]:80"},
                                     {"[::]:0", "[::]:0"},
                                     {"a:65535", "a:65535"},
                                     {"unix:/run/x.sock", "unix:/run/x.sock"},
                                     {"fd:3", "fd:3"},
                                     {"a:65536", "refused"},
                                     {"a:-1", "refused"},
                                     {"a:", "refused"},
                                     {":80", ":80"},
                                     {"80", "refused"},
                                     {"a", "refused"},
                                     {"::1:80", "refused"},
                                     {"[::1]", "refused"},
                                     {"[::1:80", "refused"},
                                     {"[1.2.3.4]:80", "refused"},
                                     {"[fe80::1%eth0]:80", "refused"},
                                     {"1.2.3:80", "refused"},
                                     {"256.0.0.1:80", "refused"},
                                     {"a b:80", "refused"},
                                     {"http://a:80", "refused"},
                                     {"a:80/x", "refused"},
                                     {"unix:", "refused"},
                                     {"unix:/", "refused"},
                                     {"unix:relative", "refused"},
                                     {"fd:2", "refused"},
                                     {"fd:", "refused"},
                                     {"fd:-3", "refused"},
                                     {"fd:3x", "refused"},
                                     {"", "refused"}});
  CHECK(canonical(config::parsed(value), "unix:/" + long_path.substr(0, 106)) != "refused");
  CHECK(canonical(config::parsed(value), "unix:/" + long_path.substr(0, 107)) == "refused");
}

TEST_CASE("a network is an address and a prefix length") {
  config::Cidr value;
  check_rows(config::parsed(value), {{"10.0.0.0/8", "10.0.0.0/8"},
                                     {"192.168.1.7", "192.168.1.7/32"},
                                     {"0.0.0.0/0", "0.0.0.0/0"},
                                     {"fd00::/8", "fd00::/8"},
                                     {"::1", "::1/128"},
                                     {"::/0", "::/0"},
                                     {"10.0.0.1/8", "refused"},
                                     {"10.0.0.0/33", "refused"},
                                     {"fd00::/129", "refused"},
                                     {"10.0.0.0/", "refused"},
                                     {"10.0.0.0/-1", "refused"},
                                     {"10.0.0.0/8x", "refused"},
                                     {"10.0.0/8", "refused"},
                                     {"x", "refused"},
                                     {"", "refused"},
                                     {"/8", "refused"},
                                     {"fe80::1/64", "refused"}});
}

TEST_CASE("a network contains exactly its addresses, whichever socket they came through") {
  struct Case {
    const char* network;
    const char* address;
    bool inside;
  };
  for (const Case& row : {Case{"10.0.0.0/8", "10.255.0.1", true}, Case{"10.0.0.0/8", "11.0.0.0", false},
                          Case{"10.0.0.0/8", "::ffff:10.1.2.3", true}, Case{"192.168.1.128/25", "192.168.1.127", false},
                          Case{"192.168.1.128/25", "192.168.1.200", true}, Case{"0.0.0.0/0", "8.8.8.8", true},
                          Case{"0.0.0.0/0", "2001:db8::1", false}, Case{"::/0", "2001:db8::1", true},
                          Case{"fd00::/8", "fdff::1", true}, Case{"fd00::/8", "fe00::1", false},
                          Case{"127.0.0.1", "127.0.0.1", true}, Case{"127.0.0.1", "127.0.0.2", false}}) {
    CAPTURE(row.network);
    CAPTURE(row.address);
    config::Cidr network;
    config::IpBytes address{};
    REQUIRE(config::parse(row.network, network));
    REQUIRE(config::parse(row.address, address));
    CHECK(network.contains(address) == row.inside);
  }
}

TEST_CASE("retry_after is a duration or auto; a client key names its source") {
  spillway::admission::RetryAfterPolicy retry_after;
  check_rows(config::parsed(retry_after), {{"auto", "auto"},
                                           {"5s", "5s"},
                                           {"5", "5s"},
                                           {"1h", "1h"},
                                           {"0s", "refused"},
                                           {"2h", "refused"},
                                           {"Auto", "refused"},
                                           {"", "refused"}});
  spillway::ClientKey key;
  check_rows(config::parsed(key), {{"none", "none"},
                                   {"client_ip", "client_ip"},
                                   {"header:X-Api-Key", "header:X-Api-Key"},
                                   {"header:", "refused"},
                                   {"header:a b", "refused"},
                                   {"cookie:x", "cookie:x"},
                                   {"bearer", "bearer"},
                                   {"bearer:x", "refused"},
                                   {"", "refused"}});
}

}  // namespace
