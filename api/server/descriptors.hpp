#pragma once

namespace api {

/// How many of the `wanted` clients may be connected at a time when there are `limit` descriptors, so that the database
/// (`database`: connections of the pool at most) and `workers` event loops find theirs. Below 1: there is room for
/// none.
int clients_that_fit(int limit, int wanted, int database, int workers);

}  // namespace api
