#pragma once

#include <string>

#include "tests/integration/proxy/upstream.hpp"

namespace spillway::test {

/// The head of a POST; `framing`: its fields, without the last line break.
inline std::string head_of(const std::string& target, const std::string& framing) {
  return "POST " + target + " HTTP/1.1\r\nHost: test\r\n" + framing + "\r\n\r\n";
}

/// A script: answers with the request's body.
inline void echo(Turn& turn) {
  turn.answer(turn.body());
}

}  // namespace spillway::test
