#pragma once

namespace tls {

/// Has OpenSSL keep the buffers of records for the next record of the same thread. A connection holds them only while
/// it reads or writes (SSL_MODE_RELEASE_BUFFERS), so each request takes two of 17 KiB: from the heap they cost a
/// thousand instructions, and leave gaps in it. False: OpenSSL has been used before, and goes on as it was.
bool keep_record_memory();

}  // namespace tls
