// A configuration file is refused with an error that names its place, or accepted; then its values, printed and read
// again, are the same configuration. Input: the file.

#include <cstdint>
#include <string>
#include <vector>

#include "config/write.hpp"
#include "proxy/config/fields.hpp"
#include "tests/fuzz/require.hpp"

using namespace spillway;

namespace {

void check_error(const config::Error& error, const std::string& text) {
  FUZZ_REQUIRE(!error.message.empty());
  FUZZ_REQUIRE(error.place.line >= 1 && error.place.column >= 1);
  // A carriage return alone ends a line of YAML as well.
  std::size_t lines = 2;
  for (const char c : text) lines += c == '\n' || c == '\r' ? 1 : 0;
  FUZZ_REQUIRE(static_cast<std::size_t>(error.place.line) <= lines);
  FUZZ_REQUIRE(config::to_text(error).find('\n') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (text.find("file:") != std::string::npos) return 0;  // the named file may change between two runs

  const auto loaded = config::load_text({"fuzz.yaml", text}, kProxyDefinition);
  for (const config::Error& error : loaded.errors) check_error(error, text);
  if (!loaded.ok()) return 0;

  const std::string printed = config::to_yaml(loaded.config, kProxyDefinition);
  const auto again = config::load_text({"printed.yaml", printed}, kProxyDefinition);
  FUZZ_REQUIRE(again.ok());
  FUZZ_REQUIRE(config::to_yaml(again.config, kProxyDefinition) == printed);
  return 0;
}
