#include "proxy/relay/stream_memory.hpp"

namespace spillway::relay {

bool StreamMemory::admits(const StreamMemoryHolder& holder, std::size_t limit) {
  if (all_.value() > limit) make_room(limit);
  return all_.value() <= limit && holder.held_ <= limit / kConnectionsLeast;
}

void StreamMemory::changes(StreamMemoryHolder& holder, std::size_t before, std::size_t now) {
  holder.held_ += now - before;  // may wrap around, and back again
  all_.add(now - before);
}

void StreamMemory::waits(StreamMemoryHolder& holder, std::size_t memory, std::size_t limit) {
  holder.waiting_ += memory;
  if (!holder.MemoryHook::is_linked()) waiting_.push_back(holder);
  if (all_.value() > limit) make_room(limit);
}

void StreamMemory::goes_on(StreamMemoryHolder& holder, std::size_t memory) {
  holder.waiting_ -= memory;
  if (holder.waiting_ == 0) holder.MemoryHook::unlink();
}

void StreamMemory::make_room(std::size_t limit) {
  while (all_.value() > limit && !waiting_.empty()) {
    StreamMemoryHolder& holder = greatest();
    holder.MemoryHook::unlink();
    holder.give_up_waiting();
  }
}

StreamMemoryHolder& StreamMemory::greatest() {
  StreamMemoryHolder* greatest = &waiting_.front();
  int candidates = 0;
  for (StreamMemoryHolder& holder : waiting_) {
    if (++candidates > kCandidatesMax) break;
    if (holder.waiting_ > greatest->waiting_) greatest = &holder;
  }
  return *greatest;
}

}  // namespace spillway::relay
