# Debian packages of both programs: `make package`. One component each.
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON) # the packages hold the programs: no need to build the tests
set(debian ${PROJECT_SOURCE_DIR}/deploy/debian)
set(made ${PROJECT_BINARY_DIR}/packaging)
file(MAKE_DIRECTORY ${made})
file(STRINGS ${PROJECT_SOURCE_DIR}/deploy/dev/npm/node_modules/uplot/LICENSE lines)
set(UPLOT_LICENSE "")
foreach(line IN LISTS lines)
  string(APPEND UPLOT_LICENSE " ${line}\n")
endforeach()
string(REGEX REPLACE "\n \n" "\n .\n" UPLOT_LICENSE "${UPLOT_LICENSE}")
configure_file(${debian}/copyright.in ${made}/copyright @ONLY)

# package(NAME TARGET CONFIG LONG_DESCRIPTION UNITS...)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
function(package name target config summary)
  configure_file(${debian}/changelog.in ${made}/${name}.changelog @ONLY)
  set(pages ${made}/${name}.1.gz ${made}/${name}.yaml.5.gz ${made}/${name}.changelog.gz)
  add_custom_command(OUTPUT ${pages}
    COMMAND gzip -9nc ${PROJECT_SOURCE_DIR}/deploy/man/${name}.1 > ${made}/${name}.1.gz
    COMMAND $<TARGET_FILE:${target}> --print-man > ${made}/${name}.yaml.5
    COMMAND gzip -9nf ${made}/${name}.yaml.5
    COMMAND gzip -9nc ${made}/${name}.changelog > ${made}/${name}.changelog.gz
    DEPENDS ${target} ${PROJECT_SOURCE_DIR}/deploy/man/${name}.1 ${made}/${name}.changelog
    VERBATIM)
  add_custom_target(${name}-pages DEPENDS ${pages})
  install(TARGETS ${target} DESTINATION bin COMPONENT ${name})
  install(FILES ${config} DESTINATION /etc/${name} COMPONENT ${name})
  foreach(unit IN LISTS ARGN)
    install(FILES ${PROJECT_SOURCE_DIR}/deploy/systemd/${unit} DESTINATION lib/systemd/system COMPONENT ${name})
  endforeach()
  install(FILES ${made}/${name}.1.gz DESTINATION share/man/man1 COMPONENT ${name})
  install(FILES ${made}/${name}.yaml.5.gz DESTINATION share/man/man5 COMPONENT ${name})
  install(FILES ${debian}/spillway.bash DESTINATION share/bash-completion/completions RENAME ${name}
    COMPONENT ${name})
  install(FILES ${made}/copyright DESTINATION share/doc/${name} COMPONENT ${name})
  install(FILES ${made}/${name}.changelog.gz DESTINATION share/doc/${name} RENAME changelog.gz COMPONENT ${name})

  get_filename_component(file ${config} NAME)
  file(WRITE ${made}/${name}/conffiles "/etc/${name}/${file}\n")
  foreach(script postinst prerm)
    configure_file(${debian}/${name}.${script} ${made}/${name}/${script} COPYONLY FILE_PERMISSIONS
      OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
  endforeach()
  string(TOUPPER ${name} upper)
  set(extra ${made}/${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA "${extra}/conffiles;${extra}/postinst;${extra}/prerm" PARENT_SCOPE)
  set(CPACK_COMPONENT_${upper}_DESCRIPTION "${summary}" PARENT_SCOPE)
endfunction()

package(spillway spillway ${PROJECT_SOURCE_DIR}/config/proxy.yaml
  "reverse proxy that keeps one HTTP API alive under overload
Admits a bounded number of requests at a time to the API behind it, refuses
the rest early with 503 and Retry-After, breaks the circuit to an API that
fails, and serves the metrics of both."
  spillway.service spillway.socket)
package(scholarship-api scholarship-api ${PROJECT_SOURCE_DIR}/config/api.yaml
  "scholarship API with a pool of PostgreSQL connections
Logins, scholarships, search and eligibility on PostgreSQL. It reports how
full its pool is to the proxy in front of it, package spillway."
  scholarship-api.service)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGE_CONTACT "Spillway maintainers <maintainers@spillway.invalid>")
set(CPACK_COMPONENTS_ALL spillway scholarship-api)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION httpd)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
