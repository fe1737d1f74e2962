#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include <doctest/doctest.h>

/// Committed files that are generated from a description. Each test run compares them; a run with
/// SPILLWAY_UPDATE_GENERATED=1 writes them anew. CMake defines SOURCE_FOLDER.
namespace generated {

inline std::string path_of(std::string_view name) {
  return std::string(SOURCE_FOLDER "/config/").append(name);
}

inline std::string content_of(std::string_view name) {
  std::ifstream file(path_of(name), std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

inline bool updating() {
  return std::getenv("SPILLWAY_UPDATE_GENERATED") != nullptr;
}

/// Checks that the file config/NAME is `text`.
inline void check_file(std::string_view name, const std::string& text) {
  if (updating()) std::ofstream(path_of(name), std::ios::binary) << text;
  INFO("config/", std::string(name), " is out of date: run this test with SPILLWAY_UPDATE_GENERATED=1");
  CHECK((content_of(name) == text));
}

/// Checks that in the Markdown file config/NAME the section with the heading of `text`, its first line, is `text`.
inline void check_section(std::string_view name, const std::string& text) {
  std::string content = content_of(name);
  const std::size_t heading = content.find(text.substr(0, text.find('\n') + 1));
  const std::size_t begin = heading == std::string::npos ? content.size() : heading;
  const std::size_t next = content.find("\n## ", begin);
  const std::size_t end = next == std::string::npos ? content.size() : next;
  if (updating()) {
    if (heading == std::string::npos && !content.ends_with("\n\n")) content += '\n';
    content.replace(heading == std::string::npos ? content.size() : begin, end - begin, text);
    std::ofstream(path_of(name), std::ios::binary) << content;
  }
  INFO("config/", std::string(name), " is out of date: run this test with SPILLWAY_UPDATE_GENERATED=1");
  CHECK((updating() || content.substr(begin, end - begin) == text));
}

}  // namespace generated
