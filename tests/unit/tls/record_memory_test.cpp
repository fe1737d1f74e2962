#include "proxy/tls/record_memory.hpp"

#include <cstring>
#include <vector>

#include <doctest/doctest.h>
#include <openssl/crypto.h>

namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;
#endif
constexpr std::size_t kRecord = 16 * 1024;

const bool in_time = tls::keep_record_memory();  // before any test

TEST_CASE("the buffer of a record is the next one, whatever its record has beside its content") {
  REQUIRE(in_time);
  void* const first = OPENSSL_malloc(kRecord + 100);
  OPENSSL_free(first);
  void* const small = OPENSSL_malloc(kRecord - 1);
  void* const large = OPENSSL_malloc(kRecord + 1025);
  CHECK(small != first);
  CHECK(large != first);
  void* const next = OPENSSL_malloc(kRecord + 1024);
  if (kKeeps) CHECK(next == first);
  std::memset(next, 1, kRecord + 1024);
  for (void* const each : {small, large, next}) OPENSSL_free(each);
}

TEST_CASE("more buffers than are kept, and such as have grown or shrunk, go back as well") {
  std::vector<void*> all;
  for (int i = 0; i < 20; ++i) all.push_back(OPENSSL_malloc(kRecord + 500));
  auto* grown = static_cast<char*>(OPENSSL_malloc(10));
  std::memcpy(grown, "0123456789", 10);
  grown = static_cast<char*>(OPENSSL_realloc(grown, kRecord + 10));
  CHECK(std::memcmp(grown, "0123456789", 10) == 0);
  all.push_back(grown);
  all.push_back(OPENSSL_realloc(OPENSSL_malloc(kRecord + 10), 10));
  all.push_back(OPENSSL_realloc(nullptr, kRecord));
  for (void* const each : all) OPENSSL_free(each);
  CHECK(OPENSSL_realloc(OPENSSL_malloc(kRecord), 0) == nullptr);
  CHECK(OPENSSL_malloc(0) == nullptr);
  OPENSSL_free(nullptr);
}

}  // namespace
