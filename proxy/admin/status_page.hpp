#pragma once

#include <string_view>

namespace spillway::admin {

/// The page at /: HTML that includes its styles, its script and the chart library. cmake/status_page.cmake makes it
/// from proxy/admin/page/. It fetches only /stats, /stats/history and /stats/latest.
extern const std::string_view kStatusPage;
/// Its Content-Security-Policy: those and nothing else.
extern const std::string_view kStatusPagePolicy;

}  // namespace spillway::admin
