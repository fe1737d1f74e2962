#include "config/command_line.hpp"

#include <ostream>

#include <CLI/CLI.hpp>

namespace config {

CommandLine::CommandLine(ProgramInfo program, std::ostream& out, std::ostream& err)
    : program_(std::move(program)),
      out_(out),
      err_(err),
      app_(std::make_unique<CLI::App>(program_.description, program_.name)),
      config_path_(program_.default_config) {
  app_->set_version_flag("--version", program_.name + ' ' + program_.version);
  config_option_ = app_->add_option("--config", config_path_, "Configuration file");
  config_option_->type_name("FILE")->capture_default_str();
  auto* check = app_->add_flag("--check-config", check_, "Check the configuration and exit");
  app_->add_option("--format", format_, "Output format of --check-config")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str()
      ->needs(check);
  app_->add_option("--print-config", print_, "Print the configuration in effect, or the defaults, and exit")
      ->expected(0, 1)
      ->default_str("effective")
      ->check(CLI::IsMember({"effective", "defaults"}));
  app_->add_flag("--print-schema", print_schema_, "Print the JSON Schema of the configuration file and exit");
  // What is not understood is quoted: it may be the URL of a database.
  app_->failure_message([](const CLI::App* app, const CLI::Error& error) {
    return without_userinfo(CLI::FailureMessage::simple(app, error));
  });
  // For config/REFERENCE.md and the packages; not in --help.
  app_->add_flag("--print-reference", print_reference_)->group("");
  app_->add_flag("--print-man", print_man_)->group("");
}

CommandLine::~CommandLine() = default;

void CommandLine::add_set() {
  app_->add_option("--set", set_, "Set a key; wins over the file; may be repeated")
      ->type_name("KEY.PATH=VALUE")
      ->take_all()
      ->allow_extra_args(false);
}

void CommandLine::add_shortcut(const std::string& option, const std::string& type, std::string path,
                               const std::string& doc, bool replaces_file) {
  Shortcut& shortcut = shortcuts_.emplace_back(Shortcut{option, std::move(path), replaces_file, {}, nullptr});
  shortcut.given = app_->add_option(option, shortcut.value, doc)->type_name(type);
}

bool CommandLine::find_origin() {
  bool replaced = false;
  for (const Shortcut& each : shortcuts_) {
    if (each.given->count() == 0) continue;
    replaced = replaced || each.replaces_file;
    origin_.overrides.push_back({each.option, each.path, each.value, false});
  }
  origin_.path = replaced && config_option_->count() == 0 ? "" : config_path_;
  for (const std::string& each : set_) {
    const std::size_t equals = each.find('=');
    if (equals == 0 || equals == std::string::npos) {
      err_ << "--set: write key.path=value, such as limits.body=1MiB\n";
      return false;
    }
    origin_.overrides.push_back({"--set", each.substr(0, equals), each.substr(equals + 1)});
  }
  return true;
}

std::optional<int> CommandLine::parse(int argc, const char* const* argv) {
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app_->exit(error, out_, err_) == 0 ? written() : kExitUsage;
  }
  if (!find_origin()) return kExitUsage;
  return {};
}

bool CommandLine::config_named() const {
  return config_option_->count() > 0;
}

CommandLine::Ask CommandLine::ask() const {
  if (check_) return Ask::check;
  if (print_schema_) return Ask::print_schema;
  if (print_reference_) return Ask::print_reference;
  if (print_man_) return Ask::print_man;
  if (print_ == "defaults") return Ask::print_defaults;
  return print_.empty() ? Ask::run : Ask::print_effective;
}

std::optional<int> CommandLine::answer(const Describe& describe, const std::function<void(Problems&)>& check) {
  const Ask asked = ask();
  if (asked == Ask::print_defaults || asked == Ask::print_schema || asked == Ask::print_reference ||
      asked == Ask::print_man) {
    const std::string title = program_.name + " configuration";
    out_ << (asked == Ask::print_defaults ? to_yaml(describe)
             : asked == Ask::print_schema ? to_schema(describe, title)
             : asked == Ask::print_man    ? to_man(describe, program_.name)
                                          : to_reference(describe, title));
    return written();
  }
  std::vector<Error> warnings;
  const std::vector<Error> errors = read_file(origin_, describe, check, &references_, &warnings);
  if (asked == Ask::check && format_ == "json") {
    out_ << to_json(errors, warnings);
    return errors.empty() ? written() : kExitFailure;
  }
  for (const Error& warning : warnings) err_ << to_text(warning) << '\n';
  for (const Error& error : errors) err_ << to_text(error) << '\n';
  if (!errors.empty()) return kExitFailure;
  if (asked == Ask::run) return {};
  if (asked == Ask::check) {
    out_ << (origin_.path.empty() ? "command line" : origin_.path) << ": ok\n";
  } else {
    out_ << to_yaml(describe, references_);
  }
  return written();
}

int CommandLine::written() const {
  if (out_.flush()) return kExitOk;
  err_ << program_.name << ": cannot write to standard output\n";
  return kExitFailure;
}

}  // namespace config
