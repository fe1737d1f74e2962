#pragma once

#include <cstddef>
#include <cstdio>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "tests/bench/log_linear.hpp"

inline constexpr double kBin = 0.1;  // seconds

/// What happened to the requests that were due in such a time.
struct Bin {
  long sent = 0, ok = 0, refused = 0, lost = 0;
  LogLinear latency;
};

/// A stream of requests of overload_load: its argument, and what became of it. The argument:
///
///   name=TEXT rate=PER_SECOND   Poisson arrivals; with `constant`, evenly spaced
///   closed=N                    instead of a rate: N clients that each wait for the answer and ask again
///   from=S to=S                 when the stream is on; the whole run unless told
///   header=NAME:VALUE           sent with each
///   token=TEXT                  sent with each as its bearer token
///   path=TARGET                 in place of /work; of several paths each request takes the next one
///   key=NAME keys=N             a further header, with each of N values in turn
///   patience=S                  then the client closes the connection; 1 unless told
///   obey                        who is refused with Retry-After comes back then, until answered
///   calls=N pause=S             each arrival is a task of N calls with a key of its own, each that long after the
///                               answer to the one before; the first one that is not answered ends it
struct Stream {
  std::string name, header, token, key;
  std::vector<std::string> paths;
  double rate = 0, from = 0, to = 0, patience = 1, pause = 0;
  int closed = 0, keys = 0, calls = 1;
  bool constant = false, obey = false;

  std::map<int, long> statuses;  // 0: none came
  std::map<std::string, long> reasons;
  long sent = 0, in_time = 0, tasks = 0, whole = 0, degraded = 0;
  LogLinear answered, refused;
  std::vector<Bin> bins;
  int next_key = 0;
  std::size_t next_path = 0;

  /// What it does not know it skips.
  static Stream parse(const std::string& text) {
    Stream stream;
    std::istringstream words(text);
    for (std::string word; words >> word;) {
      const std::size_t equals = word.find('=');
      const std::string name = word.substr(0, equals);
      const std::string value = equals == std::string::npos ? "" : word.substr(equals + 1);
      if (name == "name") stream.name = value;
      if (name == "rate") stream.rate = std::stod(value);
      if (name == "closed") stream.closed = std::stoi(value);
      if (name == "constant") stream.constant = true;
      if (name == "from") stream.from = std::stod(value);
      if (name == "to") stream.to = std::stod(value);
      if (name == "header") stream.header = value.substr(0, value.find(':')) + ": " + value.substr(value.find(':') + 1);
      if (name == "token") stream.token = value;
      if (name == "path") stream.paths.push_back(value);
      if (name == "key") stream.key = value;
      if (name == "keys") stream.keys = std::stoi(value);
      if (name == "patience") stream.patience = std::stod(value);
      if (name == "obey") stream.obey = true;
      if (name == "calls") stream.calls = std::stoi(value);
      if (name == "pause") stream.pause = std::stod(value);
    }
    return stream;
  }

  /// As JSON on standard output. Latencies in milliseconds.
  void print() const {
    std::printf("{\"name\":\"%s\",\"sent\":%ld,\"ok_in_time\":%ld,\"tasks\":%ld,\"whole\":%ld,\"degraded\":%ld,",
                name.c_str(), sent, in_time, tasks, whole, degraded);
    std::printf("\"statuses\":{");
    const char* comma = "";
    for (const auto& [status, count] : statuses) {
      std::printf("%s\"%d\":%ld", comma, status, count);
      comma = ",";
    }
    std::printf("},\"reasons\":{");
    comma = "";
    for (const auto& [reason, count] : reasons) {
      std::printf("%s\"%s\":%ld", comma, reason.c_str(), count);
      comma = ",";
    }
    std::printf("}");
    print_latency("ok_ms", answered);
    print_latency("refused_ms", refused);
    print_bins();
    std::printf("}");
  }

 private:
  static void print_latency(const char* member, const LogLinear& latency) {
    std::printf(",\"%s\":{\"count\":%lu,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"p999\":%.3f,\"max\":%.3f}", member,
                static_cast<unsigned long>(latency.total()), latency.quantile(0.5) / 1e3, latency.quantile(0.9) / 1e3,
                latency.quantile(0.99) / 1e3, latency.quantile(0.999) / 1e3, static_cast<double>(latency.most()) / 1e3);
  }

  void print_bins() const {
    const auto list = [&](const char* member, auto of) {
      std::printf(",\"%s\":[", member);
      for (std::size_t i = 0; i < bins.size(); ++i) std::printf("%s%.6g", i ? "," : "", of(bins[i]));
      std::printf("]");
    };
    list("bin_sent", [](const Bin& b) { return static_cast<double>(b.sent); });
    list("bin_ok", [](const Bin& b) { return static_cast<double>(b.ok); });
    list("bin_refused", [](const Bin& b) { return static_cast<double>(b.refused); });
    list("bin_lost", [](const Bin& b) { return static_cast<double>(b.lost); });
    list("bin_p50_ms", [](const Bin& b) { return b.latency.quantile(0.5) / 1e3; });
    list("bin_p99_ms", [](const Bin& b) { return b.latency.quantile(0.99) / 1e3; });
  }
};
