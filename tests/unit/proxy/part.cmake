unit_test(proxy proxy_core)
