# folder(NAME [PUBLIC LIBRARIES...] [PRIVATE LIBRARIES...]): a static library of every .cpp in the folder.
function(folder name)
  cmake_parse_arguments(FOLDER "" "" "PUBLIC;PRIVATE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC project_options ${FOLDER_PUBLIC} PRIVATE ${FOLDER_PRIVATE})
endfunction()
