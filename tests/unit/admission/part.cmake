unit_test(admission proxy_admission)
