#pragma once

#include <nghttp2/nghttp2.h>

namespace spillway::http2 {

/// Where nghttp2 takes its memory: for each stream and each frame some small blocks, which the thread keeps for the
/// next ones.
nghttp2_mem* session_memory();

}  // namespace spillway::http2
