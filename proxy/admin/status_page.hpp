#pragma once

#include <string_view>

namespace spillway::admin {

/// The page at /: HTML that includes its styles, its script and the chart library. cmake/status_page.cmake makes it
/// from proxy/admin/page/. It fetches only /stats, /stats/history and /stats/latest.
extern const std::string_view kStatusPage;

}  // namespace spillway::admin
