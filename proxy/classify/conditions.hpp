#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/classify/parameters.hpp"
#include "proxy/classify/path.hpp"
#include "proxy/config/config.hpp"
#include "proxy/config/path_expression.hpp"
#include "proxy/http/message.hpp"

namespace spillway::classify {

/// What rules look at. Query and cookies are read when the first rule asks for them. For one request.
class Facts {
 public:
  /// `subject`: that of the client's verified certificate (RFC 4514); empty without one.
  Facts(const http::RequestHead& request, std::string_view subject)
      : head(request), certificate(subject), literal_path(request.path), resolved_path(request.path) {
    if (!is_plain(request.path)) read_path();
  }
  Facts(const Facts&) = delete;

  const http::RequestHead& head;
  const std::string_view certificate;

  /// See `Readings`.
  std::string_view literal_path, resolved_path;
  bool any_path = false;

  const Parameters& query();
  const Parameters& cookies();

 private:
  /// What most requests do without.
  struct Read {
    Readings path;
    std::optional<Parameters> query, cookies;
  };
  void read_path();
  Read& read();

  std::unique_ptr<Read> read_;
};

/// One rule, made ready for matching. Immutable.
class Conditions {
 public:
  explicit Conditions(const MatchRule& rule);

  Match of(Facts& facts) const {
    const Match match = usual(facts);
    return rare_ == nullptr || match == Match::no ? match : with_rare(match, facts);
  }

 private:
  /// Conditions that most rules do not have. They cost nothing elsewhere.
  struct Rare;

  Conditions(const MatchConditions& conditions, std::shared_ptr<const Conditions> except);
  Match usual(const Facts& facts) const {
    const Match path = path_.empty() && path_prefix_.empty() ? Match::yes : of_path(facts);
    if (path == Match::no || (!method_.empty() && facts.head.method != method_)) return Match::no;
    return header_.empty() ? path : std::min(path, of_header(facts.head));
  }
  Match of_path(const Facts& facts) const;
  Match of_header(const http::RequestHead& head) const;
  Match with_rare(Match match, Facts& facts) const;

  std::string path_, path_prefix_, method_, header_, value_;  ///< empty: any; `header_` in lower case
  std::string resolved_path_, resolved_prefix_;               ///< see `Readings`
  bool any_value_;                                            ///< `header_` may have any value
  std::shared_ptr<const Rare> rare_;
};

}  // namespace spillway::classify
