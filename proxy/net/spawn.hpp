#pragma once

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <utility>

#include <boost/asio/co_spawn.hpp>

namespace net {

/// Starts a coroutine that nobody awaits. What it throws goes to `on_failure`, as text, on its own thread:
/// `asio::detached` would swallow it, and the rest of the program would not know. `where`: an executor or a context.
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

/// Likewise, for a coroutine that the program cannot do without, such as the one that accepts: its failure ends the
/// process, with a line on stderr. `name` is a literal.
template <class Where, class Coroutine>
void spawn_vital(Where&& where, Coroutine&& coroutine, const char* name) {
  spawn(std::forward<Where>(where), std::forward<Coroutine>(coroutine), [name](const char* what) {
    std::fprintf(stderr, "fatal: %s has failed: %s\n", name, what);
    std::abort();
  });
}

}  // namespace net
