unit_test(api api)
