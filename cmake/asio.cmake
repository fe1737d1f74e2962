# Boost.Asio compiled once, and a precompiled header for whoever includes it: most of a clean build's time.
file(CONFIGURE OUTPUT asio/src.cpp CONTENT "#include <boost/asio/impl/src.hpp>\n")
file(CONFIGURE OUTPUT asio/pch.cpp CONTENT "// Carries the precompiled header that other targets reuse.\n")

add_library(asio STATIC ${CMAKE_CURRENT_BINARY_DIR}/asio/src.cpp)
target_link_libraries(asio PUBLIC Boost::headers Threads::Threads)
target_compile_definitions(asio PUBLIC
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_BOOST_REGEX)
target_compile_options(asio PRIVATE -fcoroutines)
