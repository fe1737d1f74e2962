#pragma once

#include <string>
#include <vector>

#include "proxy/telemetry/history.hpp"
#include "proxy/telemetry/refusals.hpp"

namespace spillway::admin {

/// The newest `count` samples as one JSON object of columns, each as long as `time`, and the last refusals.
/// The status page draws it; its names are documented there.
std::string history_json(const telemetry::History& history, const telemetry::Refusals& refusals,
                         const std::vector<std::string>& class_names, std::size_t count);

}  // namespace spillway::admin
