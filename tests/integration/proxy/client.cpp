#include "tests/integration/proxy/client.hpp"

#include <charconv>

#include "tests/integration/proxy/proxy.hpp"

namespace spillway::test {

std::string Reply::problem(std::string_view member) const {
  const std::string key = "\"" + std::string(member) + "\":";
  std::size_t from = body.find(key);
  if (from == std::string::npos) return {};
  from += key.size();
  if (body[from] != '"') return body.substr(from, body.find_first_of(",}", from) - from);
  return body.substr(from + 1, body.find('"', from + 1) - from - 1);
}

Client::Client(const Proxy& proxy) : Client(proxy.port()) {}

void Client::start(std::string_view method, std::string_view target, std::string_view fields, std::string_view body) {
  std::string request(method);
  request.append(" ").append(target).append(" HTTP/1.1\r\nHost: test\r\n").append(fields);
  if (!body.empty()) request.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  send(request.append("\r\n").append(body));
}

Reply Client::receive(bool to_head) {
  Reply reply;
  if (!wire_.read_head(reply.head)) return reply;
  reply.status = std::stoi(reply.head.substr(reply.head.find(' ') + 1));
  const bool bodiless = to_head || reply.status < 200 || reply.status == 204 || reply.status == 304;
  reply.whole = bodiless || read_body(wire_, reply.head, true, reply.body);
  return reply;
}

Reply Client::request(std::string_view method, std::string_view target, std::string_view fields,
                      std::string_view body) {
  start(method, target, fields, body);
  return receive(method == "HEAD");
}

End Client::ended() {
  if (!wire_.unread().empty() || wire_.read_more()) return End::none;
  return wire_.end();
}

std::string chunked(std::string_view body, std::size_t piece) {
  std::string out;
  for (; !body.empty(); body.remove_prefix(std::min(piece, body.size()))) {
    char size[16];
    const std::string_view data = body.substr(0, piece);
    out.append(size, std::to_chars(size, size + sizeof size, data.size(), 16).ptr);
    out.append("\r\n").append(data).append("\r\n");
  }
  return out.append("0\r\n\r\n");
}

std::string pattern(std::size_t size) {
  std::string out, line = "0000000\n";
  out.reserve(size + line.size());
  while (out.size() < size) {
    out.append(line);
    std::size_t digit = line.size() - 2;
    for (; line[digit] == '9' && digit > 0; --digit) line[digit] = '0';
    ++line[digit];
  }
  out.resize(size);
  return out;
}

}  // namespace spillway::test
