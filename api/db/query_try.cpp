#include "api/db/query_try.hpp"

namespace api::db {

void QueryTry::checked_out(const Checkout& checkout) {
  leased = Clock::now();
  waited = checkout.waited;
  if (checkout.lease) {
    server = checkout.lease->server();
  } else {
    no_connection = name(checkout.failure);
  }
}

void QueryTry::answered(const QueryResult& result) {
  ended = Clock::now();
  failure = name(result.failure);
  sqlstate = result.sqlstate;
}

QueryTry& QueryTries::begin(const Statement& statement) {
  if (all_.size() == kMost) all_.pop_back();
  QueryTry& added = all_.emplace_back();
  added.statement = &statement;
  added.asked = Clock::now();
  return added;
}

}  // namespace api::db
