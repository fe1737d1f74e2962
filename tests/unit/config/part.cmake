unit_test(config config proxy_config)
target_compile_definitions(unit_config PRIVATE SOURCE_FOLDER="${PROJECT_SOURCE_DIR}")
