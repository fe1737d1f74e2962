#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace spillway::relay {

/// What replaces the placeholders of a page.
struct PageValues {
  std::string_view reason, request_id, detail;
  int retry_after = 0;  ///< seconds
};

/// How what replaces a placeholder is written: by the content type of the page.
enum class Escape : std::uint8_t { none, html, json };
Escape escape_for(std::string_view content_type);

/// Appends a page with {{reason}}, {{retry_after}}, {{request_id}} and {{detail}} replaced.
void write_page(std::string_view page, const PageValues& values, Escape escape, std::string& out);

/// Whether an `Accept` field (RFC 9110, section 12.5.1) names HTML, and no kind of JSON that it likes as much. Browsers
/// do when a person opens a page; scripts and programs do not.
bool prefers_html(std::string_view accept);

/// The page for browsers. `retries`: it loads itself again after `retry_after` and up to as much again, drawn by the
/// browser, so that those who wait do not come back together. Only for a request that may be repeated.
std::string_view browser_page(bool retries);

}  // namespace spillway::relay
