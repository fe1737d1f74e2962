unit_test(admission proxy_admission)
# The simulations play minutes of traffic: optimised, they take seconds in a debug build, too.
target_compile_options(unit_admission PRIVATE -O1)
# The suite "long" says nothing about memory or threads that the short cases do not: a sanitizer would only take minutes
# for it.
set_tests_properties(unit_admission PROPERTIES TIMEOUT 600)
if(SPILLWAY_SANITIZE)
  add_test(NAME unit_admission_short COMMAND unit_admission --test-suite-exclude=long)
  set_tests_properties(unit_admission PROPERTIES LABELS once)
  set_tests_properties(unit_admission_short PROPERTIES TIMEOUT 600)
endif()
