#pragma once

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>

namespace net {

/// Starts a coroutine that nobody awaits. If it throws, `on_failure` gets the text of the exception, on the coroutine's
/// thread; `asio::detached` would hide it. `where`: an executor or a context.
template <class Where, class Coroutine, class OnFailure>
void spawn(Where&& where, Coroutine&& coroutine, OnFailure on_failure) {
  boost::asio::co_spawn(std::forward<Where>(where), std::forward<Coroutine>(coroutine),
                        [on_failure = std::move(on_failure)](std::exception_ptr failure) {
                          if (!failure) return;
                          try {
                            std::rethrow_exception(failure);
                          } catch (const std::exception& error) {
                            on_failure(error.what());
                          } catch (...) {
                            on_failure("unknown exception");
                          }
                        });
}

/// The same for a coroutine that the program needs, such as the one that checks timeouts: an exception ends the process
/// with a line on stderr. `name` is a literal.
template <class Where, class Coroutine>
void spawn_vital(Where&& where, Coroutine&& coroutine, const char* name) {
  spawn(std::forward<Where>(where), std::forward<Coroutine>(coroutine), [name](const char* what) {
    std::fprintf(stderr, "fatal: %s has failed: %s\n", name, what);
    std::abort();
  });
}

}  // namespace net
