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
  gone,     ///< deleted or disabled, or another user of the same name
  unknown,  ///< to be looked up, and noted then
};

/// Remembers for seconds whether users are still there, so that a token ends with its user and the database is asked
/// only now and then. When what is known of a user grows old, one request looks it up and the others go on. One per
/// worker, not thread-safe; of fixed size, a newcomer takes the place of what stood there. Pure.
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
    const bool same = place.id != 0 && (claims.user_id == 0 || claims.user_id == place.id);
    return same ? Standing::active : Standing::gone;
  }
  /// `id` 0: no such user, or a disabled one.
  void note(std::string_view name, std::int64_t id, Time now) {
    places_[index(name)] = {std::string(name), id, now, Time{}};
  }

 private:
  /// At some 100 bytes each, 400 KiB when full.
  static constexpr std::size_t kPlaces = 4096;
  static constexpr Duration kFresh = std::chrono::seconds(4);
  /// As long as a look-up may take before another request tries, too.
  static constexpr Duration kLookUp = std::chrono::seconds(1);

  struct Place {
    std::string name;
    std::int64_t id = 0;
    Time noted{}, asked{};
  };
  static std::size_t index(std::string_view name) { return std::hash<std::string_view>()(name) % kPlaces; }

  std::vector<Place> places_;
};

}  // namespace api::auth
