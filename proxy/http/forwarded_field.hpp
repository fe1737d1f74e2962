#pragma once

#include <string_view>

namespace spillway::http {

/// What one proxy says of the request that it got: an element of `Forwarded` (RFC 7239, section 4).
struct ForwardedElement {
  std::string_view node;   ///< `for`, without quotes: an address, `unknown`, or a name of the proxy's own. Empty: none
  std::string_view proto;  ///< of the request; empty: none
  std::string_view host;   ///< that the request named; empty: none
};

/// Reads the elements of one `Forwarded` field, from left to right. Its views point into the field.
class ForwardedReader {
 public:
  explicit ForwardedReader(std::string_view field) : rest_(field) {}

  /// False: there are no more, or the rest is malformed. Then nothing of the field should be believed, since a client
  /// may have begun a quoted text that swallows what a proxy has appended.
  bool next(ForwardedElement& element);
  bool malformed() const { return malformed_; }

 private:
  bool pair(ForwardedElement& element);
  bool value(std::string_view& value);
  void skip_space();
  bool fail();

  std::string_view rest_;
  bool malformed_ = false;
};

}  // namespace spillway::http
