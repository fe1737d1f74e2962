#pragma once

#include <string>
#include <vector>

#include "proxy/telemetry/history.hpp"
#include "proxy/telemetry/refusals.hpp"

namespace spillway::admin {

/// The newest `count` samples and the refusals of the last minute as a JSON object for the status page. Each column is
/// as long as the column `time`. page.js documents the names.
std::string history_json(const telemetry::History& history, const telemetry::Refusals& refusals,
                         const std::vector<std::string>& class_names, std::size_t count);

}  // namespace spillway::admin
