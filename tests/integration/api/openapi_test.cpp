// The OpenAPI document is valid and complete, and real responses match it.

#include <functional>
#include <set>

#include <doctest/doctest.h>

#include "tests/integration/api/client.hpp"
#include "tests/integration/api/database.hpp"
#include "tests/integration/api/program.hpp"

namespace api::test {
namespace {

namespace json = boost::json;

class Document {
 public:
  explicit Document(json::value value) : root_(std::move(value)) {}

  const json::value& root() const { return root_; }

  const json::value& resolve(const json::value& value) const {
    const auto* object = value.if_object();
    const auto* reference = object ? object->if_contains("$ref") : nullptr;
    if (!reference) return value;
    const std::string target(reference->as_string());
    REQUIRE(target.starts_with("#/"));
    return root_.at_pointer(target.substr(1));
  }

  /// The first reason why `value` does not match `schema`; empty: it matches. Supports the part of JSON Schema that the
  /// document uses. An unknown keyword is a failure.
  std::string mismatch(const json::value& value, const json::value& unresolved, const std::string& at = "") const {
    const json::object& schema = resolve(unresolved).as_object();
    for (const auto& [keyword, wanted] : schema) {
      if (keyword == "type") {
        bool fits = false;
        if (wanted.is_array()) {
          for (const auto& type : wanted.as_array()) fits = fits || is(value, type.as_string());
        } else {
          fits = is(value, wanted.as_string());
        }
        if (!fits) return at + " is not " + json::serialize(wanted);
      } else if (keyword == "required") {
        for (const auto& name : wanted.as_array()) {
          if (!value.as_object().contains(name.as_string())) return at + " has no " + std::string(name.as_string());
        }
      } else if (keyword == "properties") {
        for (const auto& [name, item] : value.as_object()) {
          const json::value* known = wanted.as_object().if_contains(name);
          if (!known) return at + " has an unknown member " + std::string(name);
          if (auto fault = mismatch(item, *known, at + "/" + std::string(name)); !fault.empty()) return fault;
        }
      } else if (keyword == "items") {
        for (const auto& item : value.as_array()) {
          if (auto fault = mismatch(item, wanted, at + "/…"); !fault.empty()) return fault;
        }
      } else if (keyword == "const") {
        if (value != wanted) return at + " is not " + json::serialize(wanted);
      } else if (keyword == "enum") {
        bool fits = false;
        for (const auto& one : wanted.as_array()) fits = fits || value == one;
        if (!fits) return at + " is not in " + json::serialize(wanted);
      } else if (keyword != "description" && keyword != "format" && keyword != "additionalProperties" &&
                 keyword != "minimum" && keyword != "maximum" && keyword != "minLength" && keyword != "maxLength") {
        return at + ": unknown keyword " + std::string(keyword);
      }
    }
    return "";
  }

 private:
  static bool is(const json::value& value, std::string_view type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_bool();
    if (type == "null") return value.is_null();
    if (type == "integer") return value.is_int64();
    return type == "number" && value.is_number();
  }

  json::value root_;
};

TEST_CASE("The OpenAPI document is valid, and real responses match it") {
  Program api("database: {url: \"" + Database::shared().url() + "\"}\n");
  Client client(api.port());
  const Reply reply = client.request("GET", "/api/v1/openapi.json");
  CHECK(reply.status == 200);
  const Document document(reply.json());
  CHECK(document.root().at("openapi") == "3.1.0");

  // Lint: every reference leads somewhere, operations have unique ids, path parameters are declared, every answer
  // has a description, whatever needs a token can answer 401.
  std::function<void(const json::value&)> follow = [&](const json::value& value) {
    if (const auto* object = value.if_object()) {
      if (object->contains("$ref")) document.resolve(value);
      for (const auto& [name, member] : *object) follow(member);
    } else if (const auto* array = value.if_array()) {
      for (const auto& item : *array) follow(item);
    }
  };
  follow(document.root());
  std::set<std::string> ids;
  int operations = 0;
  for (const auto& [path, item] : document.root().at("paths").as_object()) {
    for (const auto& [method, operation] : item.as_object()) {
      CAPTURE(std::string(path));
      ++operations;
      ids.insert(std::string(operation.at("operationId").as_string()));
      CHECK_FALSE(operation.at("summary").as_string().empty());
      const bool open = operation.as_object().contains("security");
      CHECK((open || operation.at("responses").as_object().contains("401")));
      // A head or a body that is no HTTP, or is too large, is answered before anybody looks at the path.
      for (const char* status : {"400", "413", "431", "500", "501"})
        CHECK(operation.at("responses").as_object().contains(status));
      for (const auto& [status, answer] : operation.at("responses").as_object()) {
        CHECK_FALSE(document.resolve(answer).at("description").as_string().empty());
      }
      if (path.find("{id}") != std::string::npos) CHECK(operation.at("parameters").at(0).at("in") == "path");
    }
  }
  CHECK(static_cast<int>(ids.size()) == operations);

  // The server answers no documented path with 404 or 405.
  for (const auto& [path, item] : document.root().at("paths").as_object()) {
    for (const auto& [method, operation] : item.as_object()) {
      std::string target(path);
      if (auto at = target.find("{id}"); at != std::string::npos) target.replace(at, 4, "1");
      const int status = client.request(method == "post" ? "POST" : "GET", target).status;
      CAPTURE(target);
      CHECK(status != 404);
      CHECK(status != 405);
    }
  }

  client.login();
  std::string many_parameters = "username=admin&password=x";
  for (int i = 0; i < 32; ++i) many_parameters += "&a";
  constexpr const char* kPressure = "Spillway-Pressure: 1.00\r\n";
  const std::string profile = R"({"user_profile":{"gpa":3,"major":"Law"},"scholarship_id":1})";
  struct {
    const char* method;
    const char* path;
    std::string target;
    std::string body;
    int status;
    const char* fields = "";
  } const exchanges[] = {
      {"post", "/api/v1/auth/login", "/api/v1/auth/login", "username=admin&password=admin123", 200},
      {"post", "/api/v1/auth/login", "/api/v1/auth/login", many_parameters, 400},
      {"post", "/api/v1/auth/login", "/api/v1/auth/login", "username=admin&password=wrong", 401},
      {"post", "/api/v1/auth/login", "/api/v1/auth/login", "username=admin", 422},
      {"get", "/api/v1/scholarships", "/api/v1/scholarships?limit=50&major=Law", "", 200},
      {"get", "/api/v1/scholarships", "/api/v1/scholarships?cursor=999999999", "", 200},
      {"get", "/api/v1/scholarships", "/api/v1/scholarships", "", 200, kPressure},
      {"get", "/api/v1/scholarships", "/api/v1/scholarships?limit=0&min_amount=x", "", 400},
      {"get", "/api/v1/scholarships/{id}", "/api/v1/scholarships/1", "", 200},
      {"get", "/api/v1/scholarships/{id}", "/api/v1/scholarships/x", "", 400},
      {"get", "/api/v1/scholarships/{id}", "/api/v1/scholarships/999999999", "", 404},
      {"get", "/api/v1/search", "/api/v1/search?q=physics&limit=50", "", 200},
      {"get", "/api/v1/search", "/api/v1/search?q=physics&limit=50", "", 200, kPressure},
      {"get", "/api/v1/search", "/api/v1/search?q=phisycs&limit=1", "", 200},
      {"get", "/api/v1/search", "/api/v1/search?q=-physics&limit=1", "", 200},
      {"get", "/api/v1/search", "/api/v1/search", "", 400},
      {"post", "/api/v1/eligibility/check", "/api/v1/eligibility/check", profile, 200},
      {"post", "/api/v1/eligibility/check", "/api/v1/eligibility/check", "{", 400},
      {"post", "/api/v1/eligibility/check", "/api/v1/eligibility/check", "{}", 422},
      {"get", "/health", "/health", "", 200},
      {"get", "/ready", "/ready", "", 200},
  };
  api.await_ready();
  const auto documented_answer = [&](std::string_view method, std::string_view path, int status) -> const json::value& {
    const json::value& all = document.root().at("paths").at(path).at(method).at("responses");
    return document.resolve(all.at(std::to_string(status)));
  };
  for (const auto& [path, item] : document.root().at("paths").as_object()) {
    if (!item.as_object().contains("get")) continue;
    std::string target(path);
    if (auto at = target.find("{id}"); at != std::string::npos) target.replace(at, 4, "1");
    if (target == "/api/v1/search") target += "?q=law";
    CAPTURE(target);
    const Reply cached = client.request("GET", target, "", "If-None-Match: *\r\n");
    CHECK((cached.status == 200 || cached.status == 304));
    if (cached.status == 304) {
      CHECK_FALSE(documented_answer("get", path, 304).as_object().contains("content"));
      CHECK(json::serialize(item.at("get").at("parameters")).find("ifNoneMatch") != std::string::npos);
    }
    Client large(api.port()), coded(api.port());
    large.send("GET " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n");
    CHECK(large.receive().status == 413);
    coded.send("GET " + target + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n");
    CHECK(coded.receive().status == 501);
  }
  for (const auto& [method, path, target, body, status, fields] : exchanges) {
    CAPTURE(target);
    const Reply answer = client.request(std::string_view(method) == "post" ? "POST" : "GET", target, body, fields);
    CHECK(answer.status == status);
    const json::value& documented = documented_answer(method, path, answer.status);
    const auto& [type, content] = *documented.at("content").as_object().begin();
    CHECK(answer.header("content-type") == std::string(type));
    CHECK(document.mismatch(answer.json(), content.at("schema")) == "");
  }
}

}  // namespace
}  // namespace api::test
