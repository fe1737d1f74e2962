#include "proxy/net/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace net {

void open_standard_streams() {
  // Each descriptor is the lowest that is free; the first one above the three means that all of them are open.
  int descriptor = 0;
  do {
    descriptor = ::open("/dev/null", O_RDWR);
  } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (descriptor >= 0) ::close(descriptor);
}

}  // namespace net
