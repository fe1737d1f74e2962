#pragma once

#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "api/auth/recent.hpp"
#include "proxy/net/clock.hpp"

namespace api::auth {

/// Who wants to log in, and from which network: an address, or what counts as one (`client_network`).
struct Login {
  std::string user, network;
};

/// Bounds the guessing of passwords: failures per user and network, and per network, within a window that begins with
/// the first failure. Not per user alone: that would let anybody lock anybody out. Only what was found wrong counts, so
/// that right passwords never stand in each other's way: ask again just before a password is checked. Remembers who has
/// logged in, too. Pure and not thread-safe.
class LoginLimit {
 public:
  /// `max_failures` of one user from one network; 0: no limit.
  LoginLimit(int max_failures, Duration window) : max_failures_(max_failures), window_(window) {}
  LoginLimit(LoginLimit&&) = default;

  /// Zero: go on. Otherwise: refused, try again after this time.
  Duration refused_for(const Login& login, Time now);
  void failed(const Login& login, Time now);
  void succeeded(const Login& login, Time now);
  /// The user has logged in from there lately, or somebody has and the network has not failed often since.
  bool familiar(const Login& login, Time now);

  std::size_t tracked() const { return failures_.size(); }

 private:
  /// A school behind one address has many users who mistype.
  static constexpr int kPerNetworkFactor = 10;
  /// Some 4 MiB. A newcomer takes the place of whoever has failed or asked least recently, so that a flood from many
  /// addresses frees nobody who goes on guessing.
  static constexpr std::size_t kMaxTracked = 20'000;
  /// Successes, in each of two generations; only right passwords make any, so a flood of wrong ones cannot push them
  /// out.
  static constexpr std::size_t kMaxFamiliar = 10'000;
  /// Who comes once a week stays familiar.
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
