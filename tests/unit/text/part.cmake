unit_test(text text)
