#pragma once

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/auth/recent.hpp"
#include "proxy/net/clock.hpp"

namespace api::auth {

/// The user of a login and its network, see `client_network`.
struct Login {
  std::string user, network;
};

/// Limits the guessing of passwords: counts failures per user and network, and per network, within a window that begins
/// with the first failure. It does not count per user alone, because then anybody could lock a user out. A login counts
/// only after its password was found wrong, so parallel logins with right passwords are never refused: ask again just
/// before the check. It also remembers successful logins. Pure and not thread-safe.
class LoginLimit {
 public:
  /// `max_failures` of one user from one network; 0: no limit.
  LoginLimit(int max_failures, Duration window) : max_failures_(max_failures), window_(window) {}
  LoginLimit(LoginLimit&&) = default;

  /// Zero: the password may be checked. Otherwise the time after which the client may try again.
  Duration refused_for(const Login& login, Time now);
  void failed(const Login& login, Time now);
  void succeeded(const Login& login, Time now);
  /// The user has logged in from this network lately, or another user has and the network has few failures since.
  bool familiar(const Login& login, Time now);

  std::size_t tracked() const { return failures_.size(); }

 private:
  /// Many users may share one address, as in a school, and mistype.
  static constexpr int kPerNetworkFactor = 10;
  /// Some 4 MiB. A new entry replaces the least recently used one, so a flood from many addresses does not forget a
  /// client that goes on guessing.
  static constexpr std::size_t kMaxTracked = 20'000;
  /// Successful logins in each of two generations. Wrong passwords add none, so a flood of them evicts nothing.
  static constexpr std::size_t kMaxFamiliar = 10'000;
  /// A user who logs in once a week stays familiar.
  static constexpr Duration kFamiliarFor = std::chrono::hours(24 * 8);

  struct Failures {
    std::string key;
    int count = 0;
    Time since{};
  };
  using Order = std::list<Failures>;

  static std::string pair_key(const Login& login);
  int count(const std::string& key, Time now) const;
  Duration refuse(const std::string& key, Time now);
  void add(std::string key, Time now);

  int max_failures_;
  Duration window_;
  Order order_;                                                     ///< the most recent last
  std::unordered_map<std::string_view, Order::iterator> failures_;  ///< by the keys in `order_`
  Recent successes_{kMaxFamiliar, kFamiliarFor};
};

}  // namespace api::auth
