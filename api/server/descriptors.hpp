#pragma once

namespace api {

/// How many of the `wanted` client connections fit into `limit` descriptors, beside `database` connections of the pool
/// and `workers` event loops. Below 1: none.
int clients_that_fit(int limit, int wanted, int database, int workers);

}  // namespace api
