// The generated files in the repository match the description of api.yaml.

#include "tests/unit/config/generated.hpp"

#include <doctest/doctest.h>

#include "api/config/config.hpp"
#include "config/write.hpp"

namespace {

TEST_CASE("The schema and the reference of api.yaml are up to date") {
  generated::check_file("api.schema.json", config::to_schema(api::kApiDefinition, "scholarship-api configuration"));
  generated::check_section("REFERENCE.md", config::to_reference(api::kApiDefinition, "scholarship-api configuration"));
}

}  // namespace
