#include "proxy/tls/server_name.hpp"

#include <algorithm>

namespace tls {

namespace {

bool has(const Choice& choice, std::string_view name) {
  return !name.empty() && std::find(choice.names.begin(), choice.names.end(), name) != choice.names.end();
}

bool share_a_name(const Choice& one, const Choice& other) {
  return std::any_of(one.names.begin(), one.names.end(), [&](const std::string& name) { return has(other, name); });
}

template <class Fits>
std::vector<std::size_t> first_of_each_kind(const std::vector<Choice>& certificates, Fits fits) {
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < certificates.size(); ++i) {
    const bool taken = std::any_of(chosen.begin(), chosen.end(),
                                   [&](std::size_t j) { return certificates[j].kind == certificates[i].kind; });
    if (!taken && fits(certificates[i])) chosen.push_back(i);
  }
  return chosen;
}

}  // namespace

std::string wildcard_of(std::string_view name) {
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == name.size()) return {};
  return "*" + std::string(name.substr(dot));
}

std::vector<std::size_t> choose(const std::vector<Choice>& certificates, std::string_view server_name) {
  for (const std::string& name : {std::string(server_name), wildcard_of(server_name)}) {
    auto chosen = first_of_each_kind(certificates, [&](const Choice& each) { return has(each, name); });
    if (!chosen.empty()) return chosen;
  }
  const Choice& first = certificates.front();
  return first_of_each_kind(certificates,
                            [&](const Choice& each) { return &each == &first || share_a_name(each, first); });
}

}  // namespace tls
