// spillway: a sidecar reverse proxy that keeps one API alive under overload.

#include <iostream>

#include <CLI/CLI.hpp>

#include "config/command_line.hpp"
#include "proxy/admin/commands.hpp"
#include "proxy/config/fields.hpp"
#include "proxy/net/standard_streams.hpp"
#include "proxy/process.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/tls/record_memory.hpp"
#include "proxy/version.hpp"

int main(int argc, char** argv) {
  using namespace spillway;
  net::open_standard_streams();
  tls::keep_record_memory();
  config::CommandLine line({"spillway", "Keeps one API alive under overload", kVersion, "config/proxy.yaml"}, std::cout,
                           std::cerr);
  line.app().fallthrough();  // inherited by the subcommands: options are accepted after them, too
  line.app().require_subcommand(0, 1);
  line.add_shortcut("--upstream", "ADDRESS", "upstream.address",
                    "Address of the API; then a configuration file is read only if --config names one", true);
  line.add_shortcut("--listen", "ADDRESS", "listen", "Address to listen on, such as :8080");
  line.add_shortcut("--max-concurrent", "N", "admission.max_concurrent", "Most requests in flight towards the API");
  line.add_set();
  bool print_metrics = false;
  line.app().add_flag("--print-metrics", print_metrics, "Print every metric: name, type, labels, help");
  CLI::App* healthcheck = line.app().add_subcommand("healthcheck", "Exit 0 if a running spillway is ready, else 1");
  admin::Target target{"", {}, {}};
  CLI::App* advise = line.app().add_subcommand("advise", "Suggest limits for the API, measured by a running spillway");
  for (CLI::App* command : {healthcheck, advise}) {
    command->add_option("--admin", target.address,
                        "Admin address of the running spillway; https:// before it for TLS. Default: admin.listen of "
                        "--config, if that is given, else 127.0.0.1:9901");
    command->add_option("--certificate", target.certificate, "Shown to an admin listener that requires one; PEM");
    command->add_option("--key", target.key, "Its key, if that is in a file of its own");
  }

  if (const auto status = line.parse(argc, argv)) return *status;
  if (print_metrics) {
    telemetry::print_declarations(std::cout);
    return line.written();
  }
  if (target.address.empty()) {
    ProxyConfig configuration;
    // Of a file with errors counts what can be read: the process that runs may have another one in force.
    if (line.config_named()) configuration = config::load_file(line.origin(), kProxyDefinition).config;
    target.address = admin::address_of(configuration.admin.listen).value_or("127.0.0.1:9901");
  }
  if (*healthcheck) return admin::healthcheck(target, std::cerr);
  if (*advise) return admin::advise(target, std::cout, std::cerr);

  ProxyConfig configuration;
  if (const auto status = line.load(kProxyDefinition, configuration)) return *status;
  Process process(std::move(configuration), line.references(), line.origin(), {argv, argv + argc});
  return process.start() ? process.run() : config::kExitFailure;
}
