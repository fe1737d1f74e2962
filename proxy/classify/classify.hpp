#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "proxy/classify/path.hpp"
#include "proxy/config/config.hpp"
#include "proxy/http/message.hpp"

namespace spillway::classify {

/// Index of the default class, of requests that no rule matches. The configured classes follow in their order.
inline constexpr int kDefaultClassIndex = 0;

/// Names of all classes by index.
std::vector<std::string> class_names(const std::vector<ClassConfig>& classes);

/// Finds the class of a request: the first configured class with a rule that matches. Pure and immutable; safe from any
/// thread.
///
/// Servers read some paths in different ways. A client must not get a better class by such a path, so the request gets
/// the worst of all classes that it may belong to. That is the class refused earliest, then the one with the smaller
/// reserve, then the one that maintenance refuses. An additional or missing slash at the end also makes a path
/// ambiguous.
class Classifier {
 public:
  explicit Classifier(const std::vector<ClassConfig>& classes,
                      double default_shed_at = admission::ClassPolicy().shed_at);

  int classify(const http::RequestHead& head) const;

 private:
  enum class Match { no, maybe, yes };
  using Rank = std::tuple<double, int, bool>;  ///< shed_at, reserve, critical: a greater one is better

  struct Rule {
    int class_index = 0;
    std::string path, path_prefix, method, header, value;  ///< empty: any; `header` in lower case
    std::string resolved_path, resolved_prefix;            ///< see `Readings`
    bool any_value = false;                                ///< `header` may have any value
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
