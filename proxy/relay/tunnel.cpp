#include "proxy/relay/tunnel.hpp"

#include <utility>

namespace spillway::relay {

Tunnel::Tunnel(net::Stream& client, net::Stream& upstream, std::function<void()> moved)
    : ways_{Way{client, upstream}, Way{upstream, client}}, moved_(std::move(moved)) {}

net::Task<> Tunnel::run() {
  for (Way& way : ways_) way.from.observe(this);
  for (Way& way : ways_) advance(way);
  // The last event resumes; when all has ended at once there is none to come.
  if (outstanding()) co_await parking_.wait();
  for (Way& way : ways_) way.from.observe(nullptr);
}

void Tunnel::on_unawaited_read(net::Stream& stream) {
  advance(&stream == &ways_[0].from ? ways_[0] : ways_[1]);
  end_if_over();
}

/// Goes on until something has to be waited for.
void Tunnel::advance(Way& way) {
  while (!given_up_ && !way.done && !way.awaits_room && !way.from.reading()) {
    if (!way.from.in.empty()) {
      if (!write(way)) return;
    } else if (way.from.read_error()) {
      pass_on_end(way);
    } else {
      way.from.start_read(net::kBlockSize);
    }
  }
}

/// False: `to` takes no more for now, or at all.
bool Tunnel::write(Way& way) {
  const std::size_t size = way.from.in.size();
  if (way.output.empty()) {
    way.output = {};
    way.output.add(way.from.in.view());
  }
  net::error_code error;
  const std::size_t before = way.output.size();
  const bool all = way.to.write_now(way.output, error);
  const std::size_t written = before - way.output.size();
  way.bytes += written;
  if (written > 0) moved_();
  if (error) return give_up(), false;
  if (!all) return await_room(way), false;
  way.from.in.consume(size);
  return true;
}

void Tunnel::await_room(Way& way) {
  way.awaits_room = true;
  way.to.socket().async_wait(net::Socket::wait_write, [this, &way](net::error_code error) {
    way.awaits_room = false;
    if (error) give_up();
    advance(way);
    end_if_over();
  });
}

void Tunnel::pass_on_end(Way& way) {
  if (way.from.read_error() != net::asio::error::eof) return give_up();
  way.done = true;
  way.to.shutdown_send();
  moved_();
}

void Tunnel::give_up() {
  if (std::exchange(given_up_, true)) return;
  for (Way& way : ways_) way.from.cancel();
}

bool Tunnel::outstanding() const {
  for (const Way& way : ways_) {
    if (way.from.reading() || way.awaits_room) return true;
  }
  return false;
}

void Tunnel::end_if_over() {
  if (!outstanding() && parking_.occupied()) parking_.resume();
}

}  // namespace spillway::relay
