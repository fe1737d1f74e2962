// How a stream sends its response, and keeps what the client does not take.

#include <algorithm>
#include <utility>

#include "proxy/relay/http2_connection.hpp"
#include "proxy/relay/http2_stream.hpp"

namespace spillway::relay {

namespace {
/// Answers up to this size are kept in memory of their own size: there may be many, on streams with shut windows.
constexpr std::size_t kSmall = net::kBlockSize / 4;
}  // namespace

ClientStream::Sent Http2Stream::sent() const {
  if (all_sent()) return Sent::all;
  return gone_ ? Sent::failed : Sent::blocked;
}

ClientStream::Sent Http2Stream::write_interim(const http::ResponseHead& head, const HeadContext& context) {
  if (malformed_) return Sent::all;
  if (gone_) return Sent::failed;
  fields_.write(head, context.request_id, context.made_here);
  ++heads_;
  connection_.session().submit_interim(id_, fields_);
  return flush();
}

void Http2Stream::write_head(const http::ResponseHead& head, const HeadContext& context) {
  refused_ = context.draining;
  if (malformed_ || refused_) return;
  fields_.write(head, context.request_id, context.made_here, context.date);
  head_pending_ = true;
}

ClientStream::Sent Http2Stream::write_body(std::string_view payload, bool last) {
  if (malformed_ || refused_) return Sent::all;
  if (gone_) return Sent::failed;
  pending_ = payload;
  last_ = last;
  response_begun_ = true;
  if (std::exchange(head_pending_, false)) {
    const bool has_body = !last || !payload.empty();
    end_sent_ = !has_body;  // with the head
    ++heads_;
    connection_.session().submit_response(id_, *this, fields_, has_body);
  } else if (last || !payload.empty()) {
    connection_.session().resume(id_);
  }
  return flush();
}

ClientStream::Sent Http2Stream::flush() {
  if (malformed_ || refused_) return Sent::all;
  connection_.produce();
  return sent();
}

void Http2Stream::take(std::size_t size, bool end) {
  taken_ += size;
  if (end) end_sent_ = true;
  if (!kept_small_.empty()) {
    const std::size_t part = std::min(size, kept_small_.size());
    connection_.on_output(std::string_view(kept_small_).substr(0, part));
    kept_small_.erase(0, part);
    if (kept_small_.empty()) kept_small_ = std::string();  // gives its memory back
    size -= part;
  }
  while (size > 0 && !kept_.empty()) {
    const net::Gather front = kept_.front();
    const auto piece = front.pieces().front();
    const std::size_t part = std::min(size, piece.size());
    connection_.on_output({static_cast<const char*>(piece.data()), part});
    kept_.consume(part);
    size -= part;
  }
  if (size > 0) {
    connection_.on_output(pending_.substr(0, size));
    pending_.remove_prefix(size);
  }
  settle();
  if (tunnel_awaits_room_ || (all_sent() && writing_.occupied())) connection_.ready(*this);
}

void Http2Stream::on_head_sent() {
  --heads_;
  if (heads_ == 0) fields_.release();  // it has been compressed
  if (all_sent() && writing_.occupied()) connection_.ready(*this);
}

/// An answer that must be kept, since it would hold a slot otherwise, and that finds no memory is given up, unless it
/// is one of few.
bool Http2Stream::keep(std::size_t limit, bool always) {
  const bool small = kept_.empty() && kept_small_.size() + pending_.size() <= kSmall;
  const std::size_t memory =
      small ? kept_small_.size() + pending_.size() : kept_small_.size() + kept_.memory_with(pending_.size());
  const bool charged = limit > 0 && output_memory_.grow_to(memory, limit);
  if (!charged && !always) return false;
  if (!charged) {
    const std::size_t more = memory - std::min(memory, output_memory_.size() + unpaid_);
    if (!connection_.keep_unpaid(more)) {
      given_up_ = gone_ = true;
      pending_ = {};
      connection_.session().note(http2::Abuse::shut_window, Clock::now());
      connection_.session().reset(id_, http2::ErrorCode::enhance_your_calm);
      return true;
    }
    unpaid_ += more;
  }
  if (small) {
    kept_small_.append(pending_);
  } else {
    kept_.append(pending_);
  }
  pending_ = {};
  return true;
}

/// Gives back what is no longer kept.
void Http2Stream::settle() {
  const std::size_t memory = kept_small_.size() + kept_.memory();
  output_memory_.shrink_to(memory);
  const std::size_t beyond = memory - output_memory_.size();
  if (beyond >= unpaid_) return;
  connection_.give_unpaid_back(unpaid_ - beyond);
  unpaid_ = beyond;
}

net::Task<> Http2Stream::wait_writable() {
  cancelled_ = false;
  if (all_sent() || gone_ || !begins_to_wait()) co_return;
  co_await writing_.wait();
  goes_on();
}

}  // namespace spillway::relay
