include(${CMAKE_CURRENT_LIST_DIR}/content_policy.cmake)

# Puts style sheets and scripts into the page and the page into a C++ file: PAGE (folder), UPLOT (folder), OUT.
file(READ ${PAGE}/index.html html)
foreach(part IN ITEMS ${UPLOT}/uPlot.min.css ${PAGE}/page.css ${UPLOT}/uPlot.iife.min.js ${PAGE}/model.js ${PAGE}/page.js)
  get_filename_component(name ${part} NAME)
  file(READ ${part} text)
  if(text MATCHES "</script|</style|\\)page\"")
    message(FATAL_ERROR "${part} cannot stand inside the page")
  endif()
  string(FIND "${html}" "/*${name}*/" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "no place for ${name} in index.html")
  endif()
  string(REPLACE "/*${name}*/" "${text}" html "${html}")
endforeach()

content_policy("${html}" policy)

# In pieces: a compiler need not take a literal beyond 64 KiB.
string(LENGTH "${html}" length)
set(literals "")
set(at 0)
while(at LESS length)
  string(SUBSTRING "${html}" ${at} 8000 piece)
  string(APPEND literals "\n  R\"page(${piece})page\"")
  math(EXPR at "${at} + 8000")
endwhile()
file(WRITE ${OUT} "#include \"proxy/admin/status_page.hpp\"

namespace spillway::admin {
const std::string_view kStatusPage =${literals};
const std::string_view kStatusPagePolicy = \"${policy}\";
}  // namespace spillway::admin
")
