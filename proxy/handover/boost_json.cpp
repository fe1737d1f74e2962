// The compiled part of a library that is otherwise headers, once for the whole program.
#include <boost/json/src.hpp>
