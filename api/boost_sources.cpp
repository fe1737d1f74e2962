// The compiled parts of two libraries that are otherwise headers, once for the whole program.
#include <boost/json/src.hpp>
#include <boost/url/src.hpp>
