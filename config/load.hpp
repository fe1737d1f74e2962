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
#include "config/override.hpp"

/// Reads a configuration: fills a struct from text, or reports all errors at once.
/// The input is limited (config/document.hpp), unknown and repeated keys are errors, and scalars may hold
/// `${env:NAME}`, `${env:NAME:-default}` and `${file:/path}` (config/substitute.hpp).
namespace config {

/// Collects errors, and knows the place of each field in the file.
class Problems {
 public:
  explicit Problems(std::string file, const std::vector<Override>& overrides = {});

  /// Adds what is accepted but is probably not meant.
  void warn(Place place, std::string path, std::string message);
  void add(Place place, std::string path, std::string message);

  /// A rule between fields. Unless it `holds`, adds an error at the first of `paths` that is in the file, or at the
  /// first line if all have their defaults. Adds none if one of the fields, or a part of it, is invalid already.
  void require(bool holds, std::initializer_list<std::string_view> paths, std::string message);

  /// Remembers the place of a field.
  void found(std::string path, Place place) { places_.insert_or_assign(std::move(path), place); }

  /// In the order of the file; what is on the command line comes first.
  std::vector<Error> take();
  std::vector<Error> take_warnings();

 private:
  std::vector<Error> sorted(std::vector<Error> found) const;

  std::string file_;
  std::vector<std::string> flags_;  ///< of the overrides
  std::vector<Error> errors_;
  std::vector<Error> warnings_;
  std::map<std::string, Place, std::less<>> places_;
};

/// Scalars with a substitution, by path, as written in the file. They are printed instead of the values, which may be
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
  std::vector<Override> overrides = {};
};

/// Where a configuration comes from: a file, or none, and values of the command line, which win over the file.
struct Origin {
  std::string path;  ///< empty: no file, all defaults
  std::vector<Override> overrides = {};
};

using Describe = std::function<void(Fields&)>;

/// Fills the struct by `describe`, then runs `check`. Returns all errors in the order of the file. Adds to `references`
/// and `warnings` if given. A text without any key is an error: the file was probably cut, or is just being written.
std::vector<Error> read(const Source& source, const Describe& describe, const std::function<void(Problems&)>& check,
                        References* references = nullptr, std::vector<Error>* warnings = nullptr);
/// The same for a regular file of at most `kMaxFileBytes`. Start, check and reload all judge a file by this.
std::vector<Error> read_file(const Origin& origin, const Describe& describe,
                             const std::function<void(Problems&)>& check, References* references = nullptr,
                             std::vector<Error>* warnings = nullptr);

template <class Config>
struct Loaded {
  Config config;
  std::vector<Error> errors;  ///< use `config` only if there are none
  References references = {};
  std::vector<Error> warnings = {};  ///< of values that are accepted but are probably not meant

  bool ok() const { return errors.empty(); }
};

template <class Config>
Loaded<Config> load_text(const Source& source, const Definition<Config>& definition) {
  Loaded<Config> result;
  result.errors = read(
      source, [&](Fields& f) { definition.describe(f, result.config); },
      [&](Problems& problems) { definition.check(result.config, problems); }, &result.references, &result.warnings);
  return result;
}

template <class Config>
Loaded<Config> load_file(const Origin& origin, const Definition<Config>& definition) {
  Loaded<Config> result;
  result.errors = read_file(
      origin, [&](Fields& f) { definition.describe(f, result.config); },
      [&](Problems& problems) { definition.check(result.config, problems); }, &result.references, &result.warnings);
  return result;
}

}  // namespace config
