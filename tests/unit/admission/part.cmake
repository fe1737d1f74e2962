unit_test(admission proxy_admission)
# The simulations play minutes of traffic: optimised, they take seconds in a debug build, too.
target_compile_options(unit_admission PRIVATE -O1)
