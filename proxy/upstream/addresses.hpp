#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "proxy/net/clock.hpp"
#include "proxy/net/resolve.hpp"

namespace spillway::upstream {

using net::Endpoint;
using net::Endpoints;

/// When a name is looked up again: after `interval`, or soon after a connect has failed. Pure.
Time next_look_up(Time last, Duration interval, bool wanted);

/// The API's addresses. Those of a name are looked up anew by a thread of their own: a look-up blocks, and may never
/// end. When a look-up fails, the addresses known stay. Every function may be called from any thread.
class Addresses {
 public:
  struct News {
    bool resolved;     ///< at least one address is known
    bool failed;       ///< this look-up has failed
    std::string text;  ///< for the log
  };

  /// Looks nothing up before `start`; an address that is no name is known at once.
  explicit Addresses(const config::Address& address);
  /// Does not wait for a look-up under way.
  ~Addresses();
  Addresses(const Addresses&) = delete;
  Addresses& operator=(const Addresses&) = delete;

  /// Looks the name up now and every `interval`. `on_news` is called by the look-up thread when the addresses have
  /// changed, and when look-ups begin to fail; never after the destructor. Waits at most `patience` for the first
  /// look-up. False: no address is known yet.
  bool start(Duration interval, Duration patience, std::function<void(const News&)> on_news);
  void configure(Duration interval);
  /// Ends the look-ups: `on_news` is not called any more.
  void stop();

  /// For a `Host` field.
  std::string authority() const;
  /// In the order to try: first the one that worked last. Not null.
  std::shared_ptr<const Endpoints> list() const;
  /// Changes when an address has come or gone.
  std::uint32_t generation() const;
  bool has(const Endpoint& endpoint) const;
  /// A connect succeeded.
  void worked(const Endpoint& endpoint);
  /// No address could be connected to: the name is looked up soon.
  void failed();

 private:
  struct State;
  static void look_up_forever(const std::shared_ptr<State>& state);
  std::shared_ptr<State> state_;  ///< shared with the thread, which may outlive this object
};

}  // namespace spillway::upstream
