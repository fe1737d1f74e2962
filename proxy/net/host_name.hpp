#pragma once

#include <string>

namespace net {

/// Of this machine or container; empty if it has none.
std::string host_name();

}  // namespace net
