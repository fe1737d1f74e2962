# llhttp as a static library: the system's (Debian 13), else Debian 12's C sources.
pkg_check_modules(LLHTTP QUIET IMPORTED_TARGET libllhttp)
if(LLHTTP_FOUND)
  add_library(llhttp ALIAS PkgConfig::LLHTTP)
else()
  find_path(LLHTTP_SOURCES llhttp.c PATHS /usr/share/llhttp REQUIRED)
  find_path(LLHTTP_INCLUDES llhttp.h PATHS /usr/share/include/llhttp REQUIRED)
  add_library(llhttp STATIC ${LLHTTP_SOURCES}/api.c ${LLHTTP_SOURCES}/http.c ${LLHTTP_SOURCES}/llhttp.c)
  target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDES})
  # Without strict mode, in every translation unit, 8.1.0 takes a bare CR for a line end: request smuggling.
  target_compile_definitions(llhttp PUBLIC LLHTTP_STRICT_MODE=1)
endif()
