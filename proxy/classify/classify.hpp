#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "proxy/classify/conditions.hpp"
#include "proxy/config/config.hpp"
#include "proxy/http/message.hpp"

namespace spillway::classify {

/// Index of the default class, of requests that no rule matches. The configured classes follow in their order.
inline constexpr int kDefaultClassIndex = 0;

/// Names of all classes by index.
std::vector<std::string> class_names(const std::vector<ClassConfig>& classes);

struct Classified {
  int class_index = kDefaultClassIndex;
  int rule = 0;  ///< of the class: the one that matches, from 0
};

/// Finds the class of a request: the first configured class with a rule that matches. Pure and immutable; safe from any
/// thread.
///
/// Servers read some requests in different ways: by their path (also by an additional or missing slash at its end), by
/// a repeated header field, or by a query or cookies. A client must not get a better class by that, so the request gets
/// the worst of all classes that it may belong to. That is the class refused earliest, then the one with the smaller
/// reserve, then the one that maintenance refuses.
class Classifier {
 public:
  explicit Classifier(const std::vector<ClassConfig>& classes,
                      double default_shed_at = admission::ClassPolicy().shed_at);

  /// `certificate`: subject of the client's verified certificate (RFC 4514); empty without one.
  Classified classify(const http::RequestHead& head, std::string_view certificate = {}) const;

 private:
  using Rank = std::tuple<double, int, bool>;  ///< shed_at, reserve, critical: a greater one is better

  struct Rule {
    Classified match;
    Conditions conditions;
  };

  std::vector<Rule> rules_;
  std::vector<Rank> ranks_;  ///< by class index
};

}  // namespace spillway::classify
