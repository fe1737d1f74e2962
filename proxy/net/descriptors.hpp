#pragma once

namespace net {

/// Raises the soft limit of open descriptors to the hard one. The limit that is then in force.
int raise_descriptor_limit();

/// Descriptors that this process has open. Without /proc: a guess on the high side.
int open_descriptors();

}  // namespace net
