// When a change of a watched file is final.

#include <initializer_list>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/file_watch.hpp"

namespace spillway {
namespace {

const config::FileText kOld{"old", {}}, kNew{"new", {}}, kHalf{"ne", {}}, kGone{{}, "No such file or directory"};

/// The looks, counted from 1, that have reported a change.
std::vector<int> told(FileChange change, const std::vector<config::FileText>& looks) {
  std::vector<int> at;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    if (change.look(looks[i])) at.push_back(static_cast<int>(i) + 1);
  }
  return at;
}

TEST_CASE("a change is reported once, after it has been seen twice") {
  using At = std::vector<int>;
  const FileChange change(kOld);
  CHECK(told(change, {kOld, kOld, kOld}) == At{});
  CHECK(told(change, {kNew, kNew, kNew, kNew}) == At{2});
  CHECK(told(change, {kOld, kHalf, kNew, kNew, kNew}) == At{4});  // while it was being written
  CHECK(told(change, {kNew, kOld, kOld}) == At{});                // and undone
  CHECK(told(change, {kNew, kNew, kOld, kOld}) == At{2, 4});
}

TEST_CASE("a missing or unreadable file is reported like any other change, after a moment") {
  using At = std::vector<int>;
  const FileChange change(kOld);
  CHECK(told(change, {kGone, kGone, kGone, kOld, kOld}) == At{});
  CHECK(told(change, {kGone, kGone, kNew, kNew}) == At{4});
  CHECK(told(change, {kGone, kGone, kGone, kGone, kGone}) == At{4});
  // It comes back with the same bytes: read it again, even if it was refused before.
  CHECK(told(change, {kGone, kGone, kGone, kGone, kOld, kOld}) == At{4, 6});
  CHECK(told(FileChange(kGone), {kGone, kGone, kGone, kGone, kNew, kNew}) == At{6});
}

TEST_CASE("content that has been read meanwhile is no change") {
  FileChange change(kOld);
  CHECK(!change.look(kNew));
  change.remember(kNew);
  CHECK(!change.look(kNew));
  CHECK(!change.look(kNew));
  CHECK(!change.look(kOld));
  CHECK(change.look(kOld));
}

}  // namespace
}  // namespace spillway
