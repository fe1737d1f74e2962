#include "proxy/http/problem.hpp"

#include <charconv>

#include "proxy/text/json.hpp"

namespace spillway::http {

void write_problem(const Problem& problem, std::string& out) {
  char digits[12];
  const auto end = std::to_chars(digits, digits + sizeof digits, problem.status).ptr;
  out += R"({"type":"about:blank","title":")";
  out += problem.title;
  out += R"(","status":)";
  out.append(digits, end);
  out += R"(,"detail":")";
  text::append_json_escaped(out, problem.detail);
  out += R"(","reason":")";
  out += problem.reason;
  out += R"(","request_id":")";
  out += problem.request_id;
  out += "\"}\n";
}

}  // namespace spillway::http
