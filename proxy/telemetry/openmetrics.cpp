#include "proxy/telemetry/openmetrics.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "proxy/text/accept.hpp"

namespace spillway::telemetry {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr std::string_view kTotal = "_total";

void append(std::string& out, double number) {
  if (std::isinf(number)) {
    out += number > 0 ? "+Inf" : "-Inf";
    return;
  }
  std::array<char, 32> digits;  // the shortest text of a double has at most 24
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end);
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
}

/// `name_suffix{labels} value`; `bound` is the label `le`, if it is given.
void append_sample(std::string& out, std::string_view name, std::string_view suffix, const ClientMetric& metric,
                   double value, const double* bound = nullptr) {
  (out += name) += suffix;
  char before = '{';
  const auto label = [&](std::string_view key) {
    out += before;
    before = ',';
    (out += key) += "=\"";
  };
  for (const ClientMetric::Label& each : metric.label) {
    label(each.name);
    append_escaped(out, each.value);
    out += '"';
  }
  if (bound != nullptr) {
    label("le");
    append(out, *bound);
    out += '"';
  }
  if (before == ',') out += '}';
  out += ' ';
  append(out, value);
  out += '\n';
}

/// Behind a sample, in front of its line break.
void append_exemplar(std::string& out, const DatedExemplar& exemplar) {
  out.pop_back();
  ((out += " # {trace_id=\"") += exemplar.trace_id) += "\"} ";
  append(out, exemplar.value);
  out += ' ';
  append(out, exemplar.date);
  out += '\n';
}

/// `exemplar_of` a bucket.
template <class Of>
void append_histogram(std::string& out, const MetricFamily& family, const ClientMetric& metric, Of exemplar_of) {
  for (std::size_t i = 0; i < metric.histogram.bucket.size(); ++i) {
    const ClientMetric::Bucket& bucket = metric.histogram.bucket[i];
    append_sample(out, family.name, "_bucket", metric, static_cast<double>(bucket.cumulative_count),
                  &bucket.upper_bound);
    if (const auto exemplar = exemplar_of(i)) append_exemplar(out, *exemplar);
  }
  append_sample(out, family.name, "_count", metric, static_cast<double>(metric.histogram.sample_count));
  append_sample(out, family.name, "_sum", metric, metric.histogram.sample_sum);
}

}  // namespace

bool prefers_openmetrics(std::string_view accept) {
  const int openmetrics = text::accepted_weight(accept, "application/openmetrics-text");
  return openmetrics > 0 && openmetrics >= text::accepted_weight(accept, "text/plain");
}

std::string openmetrics_text(const std::vector<MetricFamily>& families, const ExemplarOf& exemplar_of) {
  std::string out;
  for (std::size_t f = 0; f < families.size(); ++f) {
    const MetricFamily& family = families[f];
    std::string_view name = family.name;
    const bool total = family.type == MetricType::Counter && name.ends_with(kTotal);
    if (total) name.remove_suffix(kTotal.size());
    const std::string_view type = total                                  ? "counter"
                                  : family.type == MetricType::Gauge     ? "gauge"
                                  : family.type == MetricType::Histogram ? "histogram"
                                                                         : "unknown";
    ((((out += "# TYPE ") += name) += ' ') += type) += '\n';
    ((out += "# HELP ") += name) += ' ';
    append_escaped(out, family.help);
    out += '\n';
    for (std::size_t m = 0; m < family.metric.size(); ++m) {
      const ClientMetric& metric = family.metric[m];
      if (family.type == MetricType::Histogram) {
        append_histogram(out, family, metric,
                         [&](std::size_t bucket) { return exemplar_of ? exemplar_of(f, m, bucket) : std::nullopt; });
      } else {
        const bool counter = family.type == MetricType::Counter;
        append_sample(out, family.name, "", metric, counter ? metric.counter.value : metric.gauge.value);
      }
    }
  }
  return out += "# EOF\n";
}

}  // namespace spillway::telemetry
