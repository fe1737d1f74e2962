#pragma once

namespace net {

/// Opens /dev/null for those of standard input, output and error that are closed. Otherwise the next descriptor that is
/// opened would take their number, and what the program prints would go into it. Call it first in main, before anything
/// opens a descriptor.
void open_standard_streams();

}  // namespace net
