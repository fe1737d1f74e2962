#pragma once

#include <libpq-fe.h>

namespace api::db {

/// Asks the server to end what this connection runs. libpq 15 has only a blocking call for it, and a frozen server lets
/// it block for ever: it runs on one of a few threads that nobody ever waits for, not even the end of the process. As
/// psql does, it goes out in clear text; a server that wants TLS takes it all the same.
/// False: it could not be arranged (too many are stuck): only closing the connection is left. Thread-safe.
bool request_cancel(PGconn* connection);

}  // namespace api::db
