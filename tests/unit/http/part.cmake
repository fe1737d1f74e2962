unit_test(http proxy_http1)
