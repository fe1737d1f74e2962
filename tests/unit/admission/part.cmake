unit_test(admission proxy_admission)
# The simulations play minutes of traffic: optimised, they take seconds in a debug build, too.
target_compile_options(unit_admission PRIVATE -O1)
# Those that play hours say nothing about memory or threads: a sanitizer would only take minutes for them.
set(long_simulations "*limit_scenarios_test.cpp,*advisor_test.cpp,*cohort_test.cpp")
set_tests_properties(unit_admission PROPERTIES TIMEOUT 600)
if(SPILLWAY_SANITIZE)
  add_test(NAME unit_admission_short COMMAND unit_admission --source-file-exclude=${long_simulations})
  set_tests_properties(unit_admission PROPERTIES LABELS once)
  set_tests_properties(unit_admission_short PROPERTIES TIMEOUT 600)
endif()
