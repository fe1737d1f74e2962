#pragma once

#include <string_view>

namespace spillway::admin {

/// The page at /: HTML with its styles, its script and the chart library within, made from proxy/admin/page/ by
/// cmake/status_page.cmake. It fetches nothing but /stats, /stats/history and /stats/latest.
extern const std::string_view kStatusPage;

}  // namespace spillway::admin
