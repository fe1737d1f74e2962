unit_test(proxy proxy_process)
