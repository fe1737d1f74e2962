unit_test(api api_server)
target_compile_definitions(unit_api PRIVATE SOURCE_FOLDER="${PROJECT_SOURCE_DIR}")
