# Boost.Asio compiled once, and a precompiled header for whoever includes it: most of a clean build's time.
file(CONFIGURE OUTPUT asio/src.cpp CONTENT "#include <boost/asio/impl/src.hpp>\n")
file(CONFIGURE OUTPUT asio/pch.cpp CONTENT "// Carries the precompiled header that other targets reuse.\n")

add_library(asio STATIC ${CMAKE_CURRENT_BINARY_DIR}/asio/src.cpp)
target_link_libraries(asio PUBLIC Boost::headers Threads::Threads)
target_compile_definitions(asio PUBLIC
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_REGEX
  # Coroutine frames kept per thread for the next call: the request path nests up to six.
  BOOST_ASIO_RECYCLING_ALLOCATOR_CACHE_SIZE=8)
target_compile_options(asio PRIVATE -fcoroutines)

add_library(asio_header STATIC ${CMAKE_CURRENT_BINARY_DIR}/asio/pch.cpp)
target_link_libraries(asio_header PUBLIC project_options asio)
target_precompile_headers(asio_header PRIVATE
  <boost/asio.hpp> <boost/beast/core.hpp> <boost/beast/http.hpp> <string> <vector> <memory>)
