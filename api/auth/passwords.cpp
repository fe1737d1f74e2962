#include "api/auth/passwords.hpp"

#include <atomic>
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

/// A lower priority than that of the event loops, so that a search does not wait for a login.
constexpr int kNice = 10;

void lower_priority() {
  thread_local const bool done = [] {
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
    return true;
  }();
  (void)done;
}

/// The hash was made by another algorithm or with other parameters than a new one would be.
bool outdated(const std::string& hash) {
  return !hash.starts_with(crypto_pwhash_argon2id_STRPREFIX) ||
         crypto_pwhash_str_needs_rehash(hash.c_str(), kPasses, kMemory) != 0;
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

std::string make_secret() {
  constexpr std::size_t kBytes = 32;
  if (sodium_init() < 0) throw std::bad_alloc();
  unsigned char random[kBytes];
  randombytes_buf(random, sizeof(random));
  char text[sodium_base64_ENCODED_LEN(kBytes, sodium_base64_VARIANT_ORIGINAL)];
  return sodium_bin2base64(text, sizeof(text), random, sizeof(random), sodium_base64_VARIANT_ORIGINAL);
}

/// Empty: there was no memory for it. The next login tries again.
static std::string hash_again(const std::string& password) {
  try {
    return hash_password(password);
  } catch (const std::bad_alloc&) {
    return {};
  }
}

struct PasswordVerifier::Check {
  Check(net::Executor executor, Login the_login, std::string the_hash, std::string the_password)
      : login(std::move(the_login)),
        hash(std::move(the_hash)),
        password(std::move(the_password)),
        wake(executor, std::chrono::steady_clock::time_point::max()) {}
  ~Check() { sodium_memzero(password.data(), password.size()); }

  Login login;
  std::string hash;  ///< empty: no such user
  std::string password;
  Line line{};
  net::Timer wake;
  std::atomic<bool> abandoned{false};
  Outcome outcome;
};

PasswordVerifier::PasswordVerifier(int threads, int queue, LoginLimit limit)
    : decoy_(hash_password("")),
      lines_(static_cast<std::size_t>(threads + queue)),
      limit_(std::move(limit)),
      threads_(static_cast<std::size_t>(threads)) {}

PasswordVerifier::~PasswordVerifier() {
  threads_.stop();
  threads_.join();
}

Line PasswordVerifier::line_of(const Login& login, Time now) {
  return limit_.familiar(login, now) ? Line::familiar : Line::strangers;
}

/// Of a login that finds its queue full.
static Verdict turned_away(Line line) {
  return line == Line::familiar ? Verdict::busy : Verdict::crowded;
}

Outcome PasswordVerifier::foresee(const Login& login) {
  const Time now = Clock::now();
  std::lock_guard lock(mutex_);
  const Duration wait = limit_.refused_for(login, now);
  if (wait > Duration::zero()) return {Verdict::too_many, wait};
  const Line line = line_of(login, now);
  return {lines_.full(line) ? turned_away(line) : Verdict::match, {}};
}

net::Task<Outcome> PasswordVerifier::verify(net::Executor executor, Login login, std::string hash, std::string password,
                                            Interrupt& interrupt) {
  auto check = std::make_shared<Check>(executor, std::move(login), std::move(hash), std::move(password));
  bool joined = false;
  {
    std::lock_guard lock(mutex_);
    check->line = line_of(check->login, Clock::now());
    joined = lines_.join(check->line, [this, check, executor] {
      check->outcome = make(*check);
      net::asio::post(executor, [check] { check->wake.cancel(); });
    });
  }
  Outcome outcome{turned_away(check->line), {}};
  if (!joined) co_return outcome;
  Interrupt::Scope scope(
      interrupt, [](void* target) { static_cast<Check*>(target)->abandoned = true; }, check.get());
  net::asio::post(threads_, [this] { make_next(); });
  co_await check->wake.async_wait(net::kAwait);
  outcome = check->outcome;
  if (interrupt.raised()) outcome.verdict = Verdict::interrupted;
  co_return outcome;
}

/// Called once for each check that has joined a queue.
void PasswordVerifier::make_next() {
  lower_priority();
  CheckLines::Check next;
  {
    std::lock_guard lock(mutex_);
    next = lines_.next();
  }
  next();
}

Outcome PasswordVerifier::make(Check& check) {
  Outcome outcome;
  if (check.abandoned) {
    outcome.verdict = Verdict::interrupted;
  } else {
    std::lock_guard lock(mutex_);
    // Checks ahead of this one may have failed meanwhile.
    outcome.retry_after = limit_.refused_for(check.login, Clock::now());
    outcome.verdict = outcome.retry_after > Duration::zero() ? Verdict::too_many : Verdict::mismatch;
  }
  if (outcome.verdict == Verdict::mismatch) {
    const bool known = !check.hash.empty();
    const char* hash = known ? check.hash.c_str() : decoy_.c_str();
    const bool right = crypto_pwhash_str_verify(hash, check.password.data(), check.password.size()) == 0;
    if (right && known) outcome.verdict = Verdict::match;
    if (right && known && outdated(check.hash)) outcome.new_hash = hash_again(check.password);
  }
  std::lock_guard lock(mutex_);
  lines_.done(check.line);
  if (outcome.verdict == Verdict::match) limit_.succeeded(check.login, Clock::now());
  if (outcome.verdict == Verdict::mismatch) limit_.failed(check.login, Clock::now());
  return outcome;
}

}  // namespace api::auth
