#include "api/auth/passwords.hpp"

#include <memory>
#include <new>

#include <sodium.h>
#include <sys/resource.h>
#include <unistd.h>

namespace api::auth {

namespace {

// The second of the equally strong settings that OWASP's Password Storage Cheat Sheet names (one lane, as libsodium
// has it): little memory, so that a check is no burden for a small container.
constexpr unsigned long long kPasses = 2;
constexpr std::size_t kMemory = 19 * 1024 * 1024;

/// Below the event loops, so that a search does not wait for a login.
constexpr int kNice = 10;

struct Check {
  Check(net::Executor executor, std::string the_hash, std::string the_password)
      : hash(std::move(the_hash)),
        password(std::move(the_password)),
        wake(executor, std::chrono::steady_clock::time_point::max()) {}
  ~Check() { sodium_memzero(password.data(), password.size()); }

  std::string hash;
  std::string password;
  net::Timer wake;
  std::atomic<bool> abandoned{false};
  bool match = false;
};

void lower_priority() {
  thread_local const bool done = [] {
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
    return true;
  }();
  (void)done;
}

}  // namespace

std::string hash_password(std::string_view password) {
  char hash[crypto_pwhash_STRBYTES];
  if (sodium_init() < 0 || crypto_pwhash_str_alg(hash, password.data(), password.size(), kPasses, kMemory,
                                                 crypto_pwhash_ALG_ARGON2ID13) != 0) {
    throw std::bad_alloc();
  }
  return hash;
}

PasswordVerifier::PasswordVerifier(int threads, int queue)
    : limit_(threads + queue), decoy_(hash_password("")), threads_(static_cast<std::size_t>(threads)) {}

PasswordVerifier::~PasswordVerifier() {
  threads_.stop();
  threads_.join();
}

net::Task<Verdict> PasswordVerifier::verify(net::Executor executor, std::string hash, std::string password,
                                            Interrupt& interrupt) {
  if (pending_.fetch_add(1) >= limit_) {
    --pending_;
    co_return Verdict::busy;
  }
  const bool known = !hash.empty();
  auto check = std::make_shared<Check>(executor, known ? std::move(hash) : decoy_, std::move(password));
  Interrupt::Scope scope(
      interrupt, [](void* target) { static_cast<Check*>(target)->abandoned = true; }, check.get());
  net::asio::post(threads_, [this, check, executor] {
    lower_priority();
    if (!check->abandoned) {
      check->match = crypto_pwhash_str_verify(check->hash.c_str(), check->password.data(), check->password.size()) == 0;
    }
    --pending_;
    net::asio::post(executor, [check] { check->wake.cancel(); });
  });
  co_await check->wake.async_wait(net::kAwait);
  if (interrupt.raised()) co_return Verdict::interrupted;
  co_return check->match&& known ? Verdict::match : Verdict::mismatch;
}

}  // namespace api::auth
