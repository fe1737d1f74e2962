#include "proxy/net/batch.hpp"

#include <cerrno>

namespace net {

Transfer Transfer::receive(int descriptor, boost::asio::mutable_buffer space) {
  Transfer transfer;
  transfer.descriptor = descriptor;
  transfer.pieces[0] = {space.data(), space.size()};
  transfer.count = 1;
  return transfer;
}

Transfer Transfer::send(int descriptor, const Gather& output) {
  Transfer transfer;
  transfer.descriptor = descriptor;
  transfer.sends = true;
  for (const auto& piece : output.pieces()) {
    transfer.pieces[transfer.count++] = {const_cast<void*>(piece.data()), piece.size()};
  }
  return transfer;
}

void Transfer::perform() {
  const iovec& first = pieces[0];
  ssize_t size = 0;
  do {
    if (!sends) {
      size = ::recv(descriptor, first.iov_base, first.iov_len, kReceives);
    } else if (count == 1) {
      size = ::send(descriptor, first.iov_base, first.iov_len, kSends);
    } else {
      const msghdr message = this->message();
      size = ::sendmsg(descriptor, &message, kSends);
    }
  } while (size < 0 && errno == EINTR);
  result = size < 0 ? -errno : static_cast<int>(size);
}

msghdr Transfer::message() {
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = count;
  return message;
}

}  // namespace net
