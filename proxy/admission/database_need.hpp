#pragma once

namespace spillway::admission {

/// What share of a class's requests needs the database, by what the API reports on its responses. When the database
/// pool is what is full, a class that does not need it goes on.
///
/// An exponentially weighted average. It begins at 1: as long as nothing is known, or the API reports nothing, a class
/// counts as one that needs the database. So it does when only some of its requests need it. While too few reports have
/// come to tell (`unknown`), one request at a time is let through to a full pool: otherwise a class that begins under
/// overload would never show that it needs none.
///
/// A 4xx says nothing of what a class needs: a flood of requests without a valid token must not have the others pass
/// for ones that need no database. But it tells how many of those in flight will use it.
class DatabaseNeed {
 public:
  static constexpr double kWeight = 1.0 / 32;  ///< 95 requests without the database in a row show that none need it
  static constexpr double kNone = 0.05;        ///< below this share a class needs none: one request is no mixed use

  static constexpr int kReports = 95;  ///< so many tell

  void learn(bool needed, bool client_error = false) {
    const double seen = needed ? 1 : 0;
    used_ += (seen - used_) * kWeight;
    if (client_error) return;
    share_ += (seen - share_) * kWeight;
    reports_ += reports_ < kReports;
  }
  /// How many of so many requests will use the database.
  double used_by(int requests) const { return used_ * requests; }
  double share() const { return share_; }
  bool needed() const { return share_ >= kNone; }
  bool unknown() const { return reports_ < kReports; }

  struct Learned {
    double share = 1;
    int reports = 0;
  };
  Learned learned() const { return {share_, reports_}; }
  void restore(const Learned& learned) {
    share_ = learned.share;
    reports_ = learned.reports;
  }

 private:
  double share_ = 1;
  double used_ = 1;  // the share of all answers
  int reports_ = 0;
};

}  // namespace spillway::admission
