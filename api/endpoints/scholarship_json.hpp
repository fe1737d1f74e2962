#pragma once

#include <string_view>
#include <vector>

#include "api/db/repository.hpp"
#include "proxy/text/json.hpp"

namespace api {

/// `"key": ["name", …]`
void write_names(text::JsonWriter& json, std::string_view key, const std::vector<std::string_view>& names);
/// The members of a scholarship that every list shows, into the open object.
void write_summary(text::JsonWriter& json, const Summary& item);
/// The first `rows` rows of the answer, into the open array.
void write_items(text::JsonWriter& json, const QueryReply& reply, int rows);
/// `"items": […]` with the first `rows` rows of the answer.
void write_summaries(text::JsonWriter& json, const QueryReply& reply, int rows);

}  // namespace api
