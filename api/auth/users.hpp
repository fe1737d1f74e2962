#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "api/auth/tokens.hpp"
#include "proxy/net/clock.hpp"

namespace api::auth {

enum class Standing : std::uint8_t {
  active,
  gone,     ///< deleted or disabled, another user of the same name, or the token is of an older generation
  unknown,  ///< look it up in the database, then call `note`
};

/// Remembers for seconds whether a user exists, so that a token ends with its user without a query for each request.
/// When an entry is old, one request looks the user up, and the others use the entry. One for each worker, not
/// thread-safe. Its size is fixed: a new user replaces an older one. Pure.
class UserCache {
 public:
  UserCache() : places_(kPlaces) {}

  Standing standing(const Claims& claims, Time now) {
    Place& place = places_[index(claims.subject)];
    if (place.name != claims.subject || now - place.noted >= kFresh + kLookUp) return Standing::unknown;
    if (now - place.noted >= kFresh && now >= place.asked + kLookUp) {
      place.asked = now;
      return Standing::unknown;
    }
    const bool same =
        place.id != 0 && (claims.user_id == 0 || claims.user_id == place.id) && claims.generation == place.generation;
    return same ? Standing::active : Standing::gone;
  }
  /// `id` 0: no such user, or a disabled one.
  void note(std::string_view name, std::int64_t id, std::int64_t generation, Time now) {
    places_[index(name)] = {std::string(name), id, generation, now, Time{}};
  }

 private:
  /// At some 100 bytes each, 400 KiB when full.
  static constexpr std::size_t kPlaces = 4096;
  static constexpr Duration kFresh = std::chrono::seconds(4);
  /// How long a look-up may take before another request tries it as well.
  static constexpr Duration kLookUp = std::chrono::seconds(1);

  struct Place {
    std::string name;
    std::int64_t id = 0, generation = 0;
    Time noted{}, asked{};
  };
  static std::size_t index(std::string_view name) { return std::hash<std::string_view>()(name) % kPlaces; }

  std::vector<Place> places_;
};

}  // namespace api::auth
