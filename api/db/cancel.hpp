#pragma once

#include <libpq-fe.h>

namespace api::db {

/// Asks the server to cancel the query of this connection. libpq 15 has only a blocking call for this, and a frozen
/// server blocks it for ever. So it runs on one of a few threads that nobody joins, not even the end of the process. As
/// with psql, the request is not encrypted; servers that require TLS accept it.
/// False: too many threads are blocked, so the caller must close the connection. Thread-safe.
bool request_cancel(PGconn* connection);

}  // namespace api::db
