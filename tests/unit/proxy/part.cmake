unit_test(proxy proxy_process)
target_compile_definitions(unit_proxy PRIVATE SOURCE_FOLDER="${PROJECT_SOURCE_DIR}")
