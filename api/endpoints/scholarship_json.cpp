#include "api/endpoints/scholarship_json.hpp"

#include "api/endpoints/date.hpp"

namespace api {

void write_names(text::JsonWriter& json, std::string_view key, const std::vector<std::string_view>& names) {
  json.key(key).begin_array();
  for (std::string_view name : names) json.value(name);
  json.end_array();
}

void write_summary(text::JsonWriter& json, const Summary& item) {
  json.member("id", item.id).member("name", item.name).member("provider", item.provider);
  json.member("amount", item.amount).key("deadline").value(to_text(item.requirements.deadline));
  json.key("min_gpa");
  if (item.requirements.min_gpa_hundredths) {
    json.hundredths(*item.requirements.min_gpa_hundredths);
  } else {
    json.null();
  }
  write_names(json, "majors", item.requirements.majors);
}

void write_items(text::JsonWriter& json, const QueryReply& reply, int rows) {
  for (int row = 0; row < rows; ++row) {
    json.begin_object();
    write_summary(json, Repository::summary(reply, row));
    json.end_object();
  }
}

void write_summaries(text::JsonWriter& json, const QueryReply& reply, int rows) {
  json.key("items").begin_array();
  write_items(json, reply, rows);
  json.end_array();
}

}  // namespace api
