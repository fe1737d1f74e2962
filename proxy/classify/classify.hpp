#pragma once

#include <string>
#include <string_view>
#include <vector>

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
/// Paths are compared as a server would resolve them (RFC 3986, section 6.2.2): `/public/../auth/` and `/%61uth/`
/// are `/auth/`, so that nobody writes himself into a better class than the one his request is served as.
class Classifier {
 public:
  explicit Classifier(const std::vector<ClassConfig>& classes);

  int classify(const http::RequestHead& head) const;

 private:
  struct Rule {
    int class_index = 0;
    std::string path, path_prefix, method, header, value;  ///< empty: not asked for; `header` in lower case
    bool any_value = false;                                ///< the header's presence is enough
  };
  static bool matches(const Rule& rule, const http::RequestHead& head, std::string_view path);

  std::vector<Rule> rules_;
};

/// `path`, which begins with a slash, with unreserved percent-escapes decoded and the others in upper case, empty
/// segments merged and dot segments resolved.
std::string normalised(std::string_view path);

}  // namespace spillway::classify
