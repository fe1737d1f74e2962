#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "proxy/classify/path.hpp"
#include "proxy/config/config.hpp"
#include "proxy/http/message.hpp"

namespace spillway::classify {

/// Index of the class of requests that no rule matches; configured classes follow in their order.
inline constexpr int kDefaultClassIndex = 0;

/// Names of all classes by index.
std::vector<std::string> class_names(const std::vector<ClassConfig>& classes);

/// Finds a request's class: the first configured class with a rule that matches. Pure and immutable: any thread may
/// ask.
///
/// A path that servers read in different ways never gets a better class than the one it may be served as, so that
/// nobody writes himself into one: of all classes that it may be of, it gets the worst. That is the one refused
/// earliest, then the one with the smaller reserve, then the one that maintenance refuses. A slash more or less at the
/// end of a path is such a difference, too.
class Classifier {
 public:
  explicit Classifier(const std::vector<ClassConfig>& classes,
                      double default_shed_at = admission::ClassPolicy().shed_at);

  int classify(const http::RequestHead& head) const;

 private:
  enum class Match { no, maybe, yes };
  using Rank = std::tuple<double, int, bool>;  ///< the greater, the better

  struct Rule {
    int class_index = 0;
    std::string path, path_prefix, method, header, value;  ///< empty: not asked for; `header` in lower case
    std::string resolved_path, resolved_prefix;            ///< see `Readings`
    bool any_value = false;                                ///< the header's presence is enough
  };
  struct Paths {
    std::string_view literal, resolved;
    bool anything = false;
  };
  static bool rest_matches(const Rule& rule, const http::RequestHead& head);
  static Match path_matches(const Rule& rule, const Paths& paths);

  std::vector<Rule> rules_;
  std::vector<Rank> ranks_;  ///< by class index
};

}  // namespace spillway::classify
