# The pure policies of the upstream side: what admission decides by, without sockets. Standard library only.
add_library(proxy_upstream_policy STATIC ${CMAKE_CURRENT_LIST_DIR}/breaker.cpp)
target_link_libraries(proxy_upstream_policy PUBLIC project_options)
