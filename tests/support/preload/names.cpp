// Preloaded into a program under test: resolves test names without a name server.
//   never.test  never gets an answer
//   two.test    has a silent address, 127.0.0.2, and then 127.0.0.1
// And the names in the file that PRELOADED_NAMES_FILE names, which is read anew for each look-up: a line for each name,
// with its addresses in order. A name without addresses does not exist.

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <netdb.h>
#include <unistd.h>

namespace {
/// False: the file says nothing of this name.
bool in_file(const std::string& wanted, std::vector<std::string>& addresses) {
  const char* const path = std::getenv("PRELOADED_NAMES_FILE");
  if (!path) return false;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    if (!(words >> name) || name != wanted) continue;
    for (std::string address; words >> address;) addresses.push_back(address);
    return true;
  }
  return false;
}
}  // namespace

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** result) {
  const auto real = reinterpret_cast<decltype(&getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  if (!name) return real(name, service, hints, result);
  if (std::strcmp(name, "never.test") == 0) {
    for (;;) ::pause();
  }
  std::vector<std::string> addresses;
  if (std::strcmp(name, "two.test") == 0) {
    addresses = {"127.0.0.2", "127.0.0.1"};
  } else if (!in_file(name, addresses)) {
    return real(name, service, hints, result);
  }
  if (addresses.empty()) return EAI_NONAME;
  addrinfo** end = result;
  for (const std::string& address : addresses) {
    const int status = real(address.c_str(), service, hints, end);
    if (status != 0) return status;
    while (*end) end = &(*end)->ai_next;
  }
  return 0;
}
