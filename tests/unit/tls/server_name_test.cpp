#include "proxy/tls/server_name.hpp"

#include <doctest/doctest.h>

namespace tls {
namespace {

using Indices = std::vector<std::size_t>;

TEST_CASE("a name chooses its own certificate, then a wildcard, then the first") {
  const std::vector<Choice> all{{KeyKind::ecdsa, {"first.example"}},
                                {KeyKind::ecdsa, {"*.example"}},
                                {KeyKind::ecdsa, {"a.example", "b.example"}},
                                {KeyKind::rsa, {"a.example"}},
                                {KeyKind::rsa, {"first.example"}}};
  struct Row {
    const char* name;
    Indices chosen;
  };
  for (const Row& row : {Row{"a.example", {2, 3}}, Row{"b.example", {2}}, Row{"c.example", {1}},
                         Row{"first.example", {0, 4}}, Row{"c.d.example", {0, 4}}, Row{"example", {0, 4}},
                         Row{"", {0, 4}}, Row{"other.org", {0, 4}}, Row{".example", {0, 4}}}) {
    CAPTURE(row.name);
    CHECK(choose(all, row.name) == row.chosen);
  }
}

TEST_CASE("a wildcard covers one label") {
  CHECK(wildcard_of("a.example.org") == "*.example.org");
  CHECK(wildcard_of("localhost").empty());
  CHECK(wildcard_of("a.").empty());
  CHECK(wildcard_of(".a").empty());
}

}  // namespace
}  // namespace tls
