#include <algorithm>
#include <limits>
#include <vector>

#include "api/endpoints/brown_out.hpp"
#include "api/endpoints/date.hpp"
#include "api/endpoints/endpoints.hpp"
#include "api/endpoints/input.hpp"
#include "api/endpoints/problem.hpp"
#include "api/endpoints/scholarship_json.hpp"

namespace api::endpoints {

namespace {

/// Windows that one page by deadline looks through at most, so that the work of a page is bounded. If they hold fewer
/// matches than the page may have, it is short, and the next one goes on behind them.
constexpr int kWindowsOfPage = 3;
constexpr std::int64_t kLastId = std::numeric_limits<std::int64_t>::max();

/// What was found. Replies with rows that are not shown end in `shown`.
struct Found {
  struct Part {
    QueryReply reply;
    int shown = 0;
  };
  std::vector<Part> parts;
  int items = 0;
  std::string next_cursor;  ///< empty: that was the last page
  std::optional<std::int64_t> total;
  bool estimated = false;
  DbError error = DbError::none;

  void add(QueryReply&& reply, int shown) {
    items += shown;
    parts.push_back({std::move(reply), shown});
  }
};

struct Asked {
  Context& context;
  Request& request;
  const Search& search;
  int limit;
  bool degraded;

  Repository& repository() const { return context.services.repository; }
  Day not_before() const { return search.include_past ? kFirstDay : today(); }
};

/// All matches by rank.
net::Task<> find_ranked(Asked asked, Found& found) {
  const RankedAfter after = asked.search.after_rank.value_or(RankedAfter{});
  // One more than is shown tells whether there is a next page.
  QueryReply reply = co_await asked.repository().ranked(asked.request.caller, asked.search.words, asked.not_before(),
                                                        after, asked.limit + 1);
  found.error = reply.error;
  if (reply.error != DbError::none) co_return;
  const int rows = reply.rows.rows();
  const int shown = std::min(rows, asked.limit);
  if (rows > 0 && !asked.degraded) found.total = Repository::scored(reply, 0).total;
  if (rows == 0 && !asked.search.after_rank && !asked.degraded) found.total = 0;
  if (rows > shown) {
    const Scored last = Repository::scored(reply, shown - 1);
    found.next_cursor = to_cursor(RankedAfter{last.score, last.id});
  }
  found.add(std::move(reply), shown);
}

/// A part of the matches by rank, then the next part.
net::Task<> find_in_parts(Asked asked, Found& found) {
  const PartAfter after = asked.search.after_part.value_or(PartAfter{});
  QueryReply reply = co_await asked.repository().ranked_part(asked.request.caller, asked.search.words,
                                                             asked.not_before(), after, asked.limit + 1);
  found.error = reply.error;
  if (reply.error != DbError::none) co_return;
  const int rows = reply.rows.rows();
  const int shown = std::min(rows, asked.limit);
  if (rows > shown) {
    const Scored last = Repository::scored(reply, shown - 1);
    const RankedAfter rank{last.score, last.id};
    const bool all = after.part == 0 && last.total < kPart;
    found.next_cursor = all ? to_cursor(rank) : to_cursor(PartAfter{after.part, rank});
  } else if (rows > 0 && Repository::scored(reply, 0).total == kPart) {
    // More match than were expected if there is no next part: all are listed by deadline, those that were shown again.
    found.next_cursor = after.part + 1 < kParts ? to_cursor(PartAfter{after.part + 1, {}})
                                                : to_cursor(DeadlineAfter{asked.not_before() - 1, kLastId});
  }
  found.add(std::move(reply), shown);
}

/// The matches among the next rows by deadline.
net::Task<> find_by_deadline(Asked asked, Found& found) {
  DeadlineAfter after{asked.not_before() - 1, kLastId};
  if (asked.search.after_deadline) after = *asked.search.after_deadline;
  const int windows = asked.degraded ? 1 : kWindowsOfPage;
  for (int window = 0; window < windows; ++window) {
    const int wanted = asked.limit - found.items;
    QueryReply reply = co_await asked.repository().by_deadline(asked.request.caller, asked.search.words, after, wanted);
    found.error = reply.error;
    if (reply.error != DbError::none) co_return;
    const int rows = reply.rows.rows();
    if (rows == wanted) {
      const Summary last = Repository::summary(reply, rows - 1);
      found.next_cursor = to_cursor(DeadlineAfter{last.requirements.deadline, last.id});
      found.add(std::move(reply), rows);
      co_return;
    }
    found.add(std::move(reply), rows);
    const QueryReply end = co_await asked.repository().window_end(asked.request.caller, after);
    found.error = end.error;
    if (end.error != DbError::none) co_return;
    found.next_cursor.clear();
    if (end.rows.rows() == 0) co_return;
    after = Repository::window_end(end);
    found.next_cursor = to_cursor(after);
  }
}

net::Task<> find(Asked asked, Found& found) {
  if (asked.search.after_deadline) {
    co_await find_by_deadline(asked, found);
    co_return;
  }
  if (asked.search.after_part) {
    co_await find_in_parts(asked, found);
    co_return;
  }
  std::int64_t estimate = 0;
  if (!asked.search.after_rank) {
    const QueryReply reply = co_await asked.repository().estimated_matches(asked.request.caller, asked.search.words);
    found.error = reply.error;
    if (reply.error != DbError::none) co_return;
    estimate = Repository::estimated_matches(reply);
  }
  if (estimate <= kRankedMost) {
    // A search that is ranked as a whole goes on so under pressure: its next page is not that of a part.
    if (asked.degraded && !asked.search.after_rank) {
      co_await find_in_parts(asked, found);
      co_return;
    }
    co_await find_ranked(asked, found);
    // The estimate may be too low; then the ranked ones are not all.
    const bool all = found.total.value_or(0) <= kRankedMost || asked.search.after_rank;
    if (found.error != DbError::none || all) co_return;
    estimate = *found.total;
    found = {};
  }
  co_await find_by_deadline(asked, found);
  if (asked.degraded || estimate == std::numeric_limits<std::int64_t>::max()) co_return;
  found.total = estimate;
  found.estimated = true;
}

}  // namespace

net::Task<> search(Context& context, Request& request, Response& response) {
  Input<Search> input = parse_search(request.query);
  if (!input.ok()) {
    answer_faults(request, response, 400, input.errors);
    co_return;
  }
  Search& search = input.value;
  const bool degraded = request.pressure >= context.services.degrade_from;
  const int limit = degraded ? std::min(search.limit, kDegradedLimit) : search.limit;
  const Asked asked{context, request, search, limit, degraded};
  Found found;
  co_await find(asked, found);

  std::string corrected;
  const bool first = !search.after_rank && !search.after_part && !search.after_deadline;
  if (found.error == DbError::none && found.items == 0 && first && !degraded) {
    const QueryReply reply = co_await context.services.repository.corrected(request.caller, search.words);
    found.error = reply.error;
    if (reply.error == DbError::none && Repository::corrected(reply) != search.words) {
      corrected = Repository::corrected(reply);
      search.words = corrected;
      Found again;
      co_await find(asked, again);
      if (again.items > 0 || again.error != DbError::none) {
        found = std::move(again);
      } else {
        corrected.clear();
      }
    }
  }
  if (found.error != DbError::none) {
    answer_db_error(request, response, found.error);
    co_return;
  }
  text::JsonWriter json(response.body);
  json.begin_object().key("items").begin_array();
  for (const Found::Part& part : found.parts) write_items(json, part.reply, part.shown);
  json.end_array().key("next_cursor");
  found.next_cursor.empty() ? json.null() : json.value(std::string_view(found.next_cursor));
  if (found.total) json.member("total", *found.total);
  if (found.estimated) json.member("total_estimated", true);
  if (!corrected.empty()) json.member("corrected", std::string_view(corrected));
  if (degraded) mark_degraded(json, response);
  json.end_object();
  response.validated = !degraded;
}

}  // namespace api::endpoints
