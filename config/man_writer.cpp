#include <utility>

#include "config/write.hpp"

namespace config {
namespace {

/// Escapes characters that have a meaning in roff (groff_char(7)).
std::string roff(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else if (c != '`') {  // a backquote marks code in the documentation of fields
      result += c;
    }
  }
  return result;
}

class ManWriter final : public Fields {
 public:
  std::string take() { return std::move(text_); }

  void scalar(const Key& key, Scalar scalar) override { entry(key, scalar.print(), scalar.words); }

  void section(const Key& key, const std::function<void()>& members) override {
    text_.append(".SS ").append(roff(path_ + std::string(key.name))).append("\n").append(roff(key.doc)).append("\n");
    nested(std::string(key.name) + '.', members);
  }

  void list(const Key& key, List list) override {
    const std::size_t length = list.size();
    std::string present;
    for (std::size_t i = 0; list.scalar && i < length; ++i) {
      present += (i > 0 ? ", " : "") + list.scalar(i).print().value_or("");
    }
    list.resize(length + 1);
    std::string of = list.scalar ? list.scalar(length).words : "sections";
    if (list.scalar && list.members) of += ", or a section";
    entry(key, present.empty() ? "[]" : present, (list.single ? "one, or a list of: " : "a list of: ") + of);
    if (list.members) nested(std::string(key.name) + "[].", [&] { list.members(length); });
    list.resize(length);
  }

 private:
  void entry(const Key& key, const std::optional<std::string>& present, const std::string& accepts) {
    text_.append(".TP\n.B ").append(roff(path_ + std::string(key.name))).append("\n");
    text_.append(roff(key.doc));
    if (key.needs_restart) text_.append(" Takes a restart.");
    text_.append(" Accepts ").append(roff(accepts)).append(". ");
    if (key.required) {
      text_.append("Required.\n");
    } else {
      text_.append("Default: ").append(present ? "\\fB" + roff(*present) + "\\fR" : "not set").append(".\n");
    }
  }

  void nested(const std::string& step, const std::function<void()>& members) {
    const std::size_t length = path_.size();
    path_ += step;
    members();
    path_.resize(length);
  }

  std::string text_;
  std::string path_;
};

}  // namespace

std::string to_man(const Describe& describe, std::string_view program) {
  ManWriter writer;
  describe(writer);
  const std::string name(program);
  return ".TH " + name + R"(.yaml 5
.SH NAME
)" + name +
         R"(.yaml \- configuration of )" + name + R"(
.SH DESCRIPTION
A YAML file, read strictly: an unknown or repeated key, a value out of range and a combination that makes no sense are
errors, all reported at once as
.IR file:line:column:\ path:\ message ,
and nothing is started.
.PP
Durations are written 250ms, 5s, 30m, 1h; a bare number is seconds. Sizes are written 16KiB, 10MiB; a bare number is
bytes. Addresses are host:port, [v6]:port, unix:/path, and to listen on fd:N. Any value may hold
.BR ${env:NAME} ,
.B ${env:NAME:\-default}
or
.BR ${file:/path} .
.SH KEYS
)" + writer.take() +
         ".SH SEE ALSO\n.BR " + name + "(1)\n";
}

}  // namespace config
