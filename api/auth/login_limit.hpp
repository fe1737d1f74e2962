#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "proxy/net/clock.hpp"

namespace api::auth {

/// Bounds the guessing of passwords: failures per user and address, and per address, within a window that begins with
/// the first failure. An attempt counts as failed until it has succeeded, so that attempts at the same time count, too.
/// Not per user alone: that would let anybody lock anybody out. Pure and not thread-safe.
class LoginLimit {
 public:
  /// `max_failures` of one user from one address; 0: no limit.
  LoginLimit(int max_failures, Duration window) : max_failures_(max_failures), window_(window) {}

  /// Zero: go on, and the attempt is counted. Otherwise: refused, try again after this time.
  Duration attempt(std::string_view user, std::string_view address, Time now);
  /// The attempt was no guess (success), or was not carried out.
  void forgive(std::string_view user, std::string_view address);

  std::size_t tracked() const { return failures_.size(); }

 private:
  /// A school behind one address has many users who mistype.
  static constexpr int kPerAddressFactor = 10;
  /// Some 2 MiB. When it is full of unexpired entries, all is forgotten: better than to grow or to lock out.
  static constexpr std::size_t kMaxTracked = 20'000;

  struct Failures {
    int count = 0;
    Time since{};
  };

  static std::string pair_key(std::string_view user, std::string_view address);
  Failures& at(std::string key, Time now);
  void make_room(Time now);

  int max_failures_;
  Duration window_;
  std::unordered_map<std::string, Failures> failures_;
};

}  // namespace api::auth
