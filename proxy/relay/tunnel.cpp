#include "proxy/relay/tunnel.hpp"

#include <utility>

namespace spillway::relay {

Tunnel::Tunnel(TunnelSide& client, TunnelSide& upstream, std::function<void()> moved)
    : directions_{Direction{client, upstream}, Direction{upstream, client}}, moved_(std::move(moved)) {}

net::Task<> Tunnel::run() {
  for (Direction& direction : directions_) direction.from.observe(this);
  for (Direction& direction : directions_) advance(direction);
  // The last event resumes; when all has ended at once there is none to come.
  if (outstanding()) co_await parking_.wait();
  for (Direction& direction : directions_) direction.from.observe(nullptr);
}

void Tunnel::on_read(TunnelSide& side) {
  advance(&side == &directions_[0].from ? directions_[0] : directions_[1]);
  end_if_over();
}

void Tunnel::on_room(TunnelSide& side, net::error_code error) {
  Direction& direction = &side == &directions_[0].to ? directions_[0] : directions_[1];
  direction.awaits_room = false;
  if (error) break_off();
  advance(direction);
  end_if_over();
}

/// Goes on until something has to be waited for.
void Tunnel::advance(Direction& direction) {
  while (!broken_ && !direction.done && !direction.awaits_room && !direction.from.reading()) {
    if (!direction.from.at_hand().empty()) {
      if (!write(direction)) return;
    } else if (direction.from.read_error()) {
      pass_on_end(direction);
    } else {
      direction.from.start_read();
    }
  }
}

/// False: `to` takes no more for now, or at all.
bool Tunnel::write(Direction& direction) {
  if (direction.output.empty()) {
    direction.output = {};
    direction.output.add(direction.from.at_hand());
  }
  net::error_code error;
  const std::size_t before = direction.output.size();
  const bool all = direction.to.write_now(direction.output, error);
  const std::size_t written = before - direction.output.size();
  direction.bytes += written;
  if (written > 0) moved_();
  if (error) return break_off(), false;
  if (!all) {
    direction.awaits_room = true;
    direction.to.await_room();
    return false;
  }
  direction.from.consume();
  return true;
}

void Tunnel::pass_on_end(Direction& direction) {
  if (direction.from.read_error() != net::asio::error::eof) return break_off();
  direction.done = true;
  direction.to.shutdown_send();
  moved_();
}

void Tunnel::break_off() {
  if (std::exchange(broken_, true)) return;
  for (Direction& direction : directions_) direction.from.cancel();
}

bool Tunnel::outstanding() const {
  for (const Direction& direction : directions_) {
    if (direction.from.reading() || direction.awaits_room) return true;
  }
  return false;
}

void Tunnel::end_if_over() {
  if (!outstanding() && parking_.occupied()) parking_.resume();
}

}  // namespace spillway::relay
