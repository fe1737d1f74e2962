#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/error.hpp"
#include "config/fields.hpp"

/// Reading a configuration: text to a filled struct, or every error at once.
/// Input is bounded (config/document.hpp), unknown and repeated keys are errors, and scalars may hold
/// `${env:NAME}`, `${env:NAME:-default}` and `${file:/path}` (config/substitute.hpp).
namespace config {

/// Collects errors and knows where each field stands in the file.
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  void add(Place place, std::string path, std::string message);

  /// A rule between fields: unless `holds`, an error at the first of `paths` that is in the file (at the first line
  /// if all have their defaults). Silent if one of the fields, or a part of it, was refused already: its value means
  /// nothing then.
  void require(bool holds, std::initializer_list<std::string_view> paths, std::string message);

  /// Remembers where a field stands.
  void found(std::string path, Place place) { places_.insert_or_assign(std::move(path), place); }

  /// In the order of the file.
  std::vector<Error> take();

 private:
  std::string file_;
  std::vector<Error> errors_;
  std::map<std::string, Place, std::less<>> places_;
};

/// Scalars that hold a substitution, by path, as they stand in the file. Shown in place of their values, which may be
/// secrets.
using References = std::map<std::string, std::string, std::less<>>;

/// Whether `path` is `outer` or a part of it: `classes[0].name` of `classes`.
bool is_within(std::string_view path, std::string_view outer);

/// What one program's configuration consists of.
template <class Config>
struct Definition {
  void (*describe)(Fields&, Config&);       ///< names every field
  void (*check)(const Config&, Problems&);  ///< the rules between fields
};

/// YAML text; `file` is only named in errors.
struct Source {
  std::string file;
  std::string text;
};

using Describe = std::function<void(Fields&)>;

/// `again`: to replace a configuration in force. Then a text without any key is refused, which at the start stands for
/// all defaults: it is a file that was cut short, or is being written. So is all but a regular file.
enum class Reading : std::uint8_t { first, again };

/// Fills the struct behind `describe`, then runs `check`. Returns every error found, in the order of the file. Adds to
/// `references` if given.
std::vector<Error> read(const Source& source, const Describe& describe, const std::function<void(Problems&)>& check,
                        References* references = nullptr, Reading reading = Reading::first);
/// The same for a file, of which no more than the bound is read.
std::vector<Error> read_file(const std::string& path, const Describe& describe,
                             const std::function<void(Problems&)>& check, References* references = nullptr,
                             Reading reading = Reading::first);

template <class Config>
struct Loaded {
  Config config;
  std::vector<Error> errors;  ///< `config` is to be used only when there are none
  References references = {};

  bool ok() const { return errors.empty(); }
};

template <class Config>
Loaded<Config> load_text(const Source& source, const Definition<Config>& definition) {
  Loaded<Config> result;
  result.errors = read(
      source, [&](Fields& f) { definition.describe(f, result.config); },
      [&](Problems& problems) { definition.check(result.config, problems); }, &result.references);
  return result;
}

template <class Config>
Loaded<Config> load_file(const std::string& path, const Definition<Config>& definition,
                         Reading reading = Reading::first) {
  Loaded<Config> result;
  result.errors = read_file(
      path, [&](Fields& f) { definition.describe(f, result.config); },
      [&](Problems& problems) { definition.check(result.config, problems); }, &result.references, reading);
  return result;
}

}  // namespace config
