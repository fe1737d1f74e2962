#include "api/auth/tokens.hpp"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <utility>

#include <boost/json.hpp>
#include <jwt.h>

namespace api::auth {

namespace {

/// A longer token was not issued here and is not parsed.
constexpr std::size_t kMaxTokenBytes = 1024;

struct Free {
  void operator()(jwt_t* token) const { jwt_free(token); }
  void operator()(char* text) const { std::free(text); }
};

/// Compares in constant time. Eight bytes at a time, because every request calls it; sodium_memcmp compares single
/// bytes.
bool equal(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  std::uint64_t difference = 0;
  std::size_t i = 0;
  for (; i + sizeof(std::uint64_t) <= a.size(); i += sizeof(std::uint64_t)) {
    std::uint64_t x, y;
    std::memcpy(&x, a.data() + i, sizeof(x));
    std::memcpy(&y, b.data() + i, sizeof(y));
    difference |= x ^ y;
  }
  for (; i < a.size(); ++i) difference |= static_cast<std::uint64_t>(a[i] ^ b[i]);
  return difference == 0;
}

/// Null: not to be read. libjwt's own functions take a claim that is no whole number for an absent one.
boost::json::value read_claims(jwt_t* token) {
  const std::unique_ptr<char, Free> text(jwt_get_grants_json(token, nullptr));
  if (!text) throw std::bad_alloc();
  boost::system::error_code error;
  return boost::json::parse(text.get(), error);
}

/// False: the claim exists but is not a whole number. If there is no such claim, the value does not change.
bool read_number(const boost::json::object& claims, std::string_view name, std::int64_t& value) {
  const boost::json::value* claim = claims.if_contains(name);
  if (!claim) return true;
  if (!claim->is_int64()) return false;
  value = claim->get_int64();
  return true;
}

const unsigned char* bytes(const std::string& key) {
  return reinterpret_cast<const unsigned char*>(key.data());
}

/// The token without its claims checked. Null: it was not signed with this secret.
std::unique_ptr<jwt_t, Free> decode(const std::string& token, const Secret& secret) {
  jwt_t* raw = nullptr;
  if (jwt_decode(&raw, token.c_str(), bytes(secret.key), static_cast<int>(secret.key.size())) != 0) return nullptr;
  std::unique_ptr<jwt_t, Free> decoded(raw);
  // libjwt takes the algorithm from the token. Accept only HS256, whatever the token says.
  if (jwt_get_alg(raw) != JWT_ALG_HS256) return nullptr;
  // A secret without a name was alone when it signed. Its tokens name none, and those of others may name anything.
  const char* kid = jwt_get_header(raw, "kid");
  if (kid && !secret.kid.empty() && secret.kid != kid) return nullptr;
  return decoded;
}

}  // namespace

Tokens::Tokens(std::vector<Secret> secrets, std::int64_t lifetime)
    : secrets_(std::make_shared<const std::vector<Secret>>(std::move(secrets))), lifetime_(lifetime) {}

Tokens::Secrets Tokens::secrets() const {
  std::lock_guard lock(mutex_);
  return secrets_;
}

bool Tokens::replace(std::vector<Secret> secrets) {
  {
    std::lock_guard lock(mutex_);
    if (*secrets_ == secrets) return false;
    secrets_ = std::make_shared<const std::vector<Secret>>(std::move(secrets));
  }
  edition_.fetch_add(1, std::memory_order_release);
  return true;
}

std::string Tokens::issue(const Claims& claims, UnixTime now) const {
  const Secrets all = secrets();
  const Secret& secret = all->front();
  jwt_t* raw = nullptr;
  if (jwt_new(&raw) != 0) throw std::bad_alloc();
  std::unique_ptr<jwt_t, Free> token(raw);
  const bool good = (secret.kid.empty() || jwt_add_header(raw, "kid", secret.kid.c_str()) == 0) &&
                    jwt_add_grant(raw, "sub", claims.subject.c_str()) == 0 &&
                    jwt_add_grant_int(raw, "uid", static_cast<long>(claims.user_id)) == 0 &&
                    jwt_add_grant_int(raw, "gen", static_cast<long>(claims.generation)) == 0 &&
                    jwt_add_grant_int(raw, "iat", static_cast<long>(now)) == 0 &&
                    jwt_add_grant_int(raw, "exp", static_cast<long>(now + lifetime_)) == 0 &&
                    jwt_set_alg(raw, JWT_ALG_HS256, bytes(secret.key), static_cast<int>(secret.key.size())) == 0;
  std::unique_ptr<char, Free> text(good ? jwt_encode_str(raw) : nullptr);
  if (!text) throw std::bad_alloc();
  return text.get();
}

bool Tokens::verify(const std::string& token, UnixTime now, Claims& claims) const {
  if (token.size() > kMaxTokenBytes) return false;
  const Secrets all = secrets();
  std::unique_ptr<jwt_t, Free> decoded;
  for (auto secret = all->begin(); secret != all->end() && !decoded; ++secret) decoded = decode(token, *secret);
  if (!decoded) return false;
  jwt_t* raw = decoded.get();
  const std::unique_ptr<char, Free> extensions(jwt_get_headers_json(raw, "crit"));
  if (extensions) return false;
  const char* subject = jwt_get_grant(raw, "sub");
  UnixTime expires = 0, not_before = 0;
  std::int64_t user_id = 0, generation = 0;
  const boost::json::value read = read_claims(raw);
  const boost::json::object* stated = read.if_object();
  if (!subject || !stated || !read_number(*stated, "exp", expires) || !read_number(*stated, "nbf", not_before) ||
      !read_number(*stated, "uid", user_id) || !read_number(*stated, "gen", generation)) {
    return false;
  }
  if (expires <= now || not_before > now) return false;
  claims = {subject, user_id, expires, generation};
  return true;
}

const Claims* TokenCache::verify(std::string_view token, UnixTime now) {
  // Read it before the token is checked: a replacement meanwhile clears the place at the next call.
  if (const std::uint64_t edition = tokens_.edition(); edition != edition_) {
    edition_ = edition;
    places_.assign(kPlaces, {});
  }
  Place& place = places_[std::hash<std::string_view>()(token) % kPlaces];
  if (place.claims.expires > now && equal(place.token, token)) return &place.claims;
  Claims claims;
  std::string candidate(token);
  if (!tokens_.verify(candidate, now, claims)) return nullptr;
  place = {std::move(candidate), std::move(claims)};
  return &place.claims;
}

}  // namespace api::auth
