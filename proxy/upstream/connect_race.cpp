#include "proxy/upstream/connect_race.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "proxy/net/spawn.hpp"

namespace spillway::upstream {

struct ConnectRace::State {
  State(ConnectionPool& p, net::Executor e) : pool(p), executor(std::move(e)) {}
  ConnectionPool& pool;
  net::Executor executor;
  std::vector<Connection*> under_way;  ///< oldest first; each belongs to its coroutine
  ConnectionPool::Lease winner;
  std::vector<Failed> failed;
  net::Parking parking;
  bool news = false;  ///< since the last wait
  bool over = false;  ///< nobody wants a connection any more

  void tell() {
    news = true;
    if (parking.occupied()) parking.resume();
  }
};

ConnectRace::ConnectRace(ConnectionPool& pool, net::Executor executor)
    : state_(std::make_shared<State>(pool, std::move(executor))) {}

ConnectRace::~ConnectRace() {
  state_->over = true;
  for (Connection* const each : state_->under_way) each->stream.cancel();
  if (state_->winner) state_->pool.discard(std::move(state_->winner));
}

void ConnectRace::start(ConnectionPool::Lease connection) {
  state_->under_way.push_back(connection.get());
  net::spawn_vital(state_->executor, attempt(state_, std::move(connection)), "a connect to the API");
}

net::Task<> ConnectRace::attempt(std::shared_ptr<State> state, ConnectionPool::Lease connection) {
  net::Transport& transport = connection->stream.transport();
  net::error_code error = co_await transport.connect(connection->endpoint, &state->over);
  if (!error && transport.tls()) error = co_await transport.handshake();
  std::erase(state->under_way, connection.get());
  if (state->over || state->winner || error) {
    // Cancelled for being silent, see `give_up_oldest`.
    const bool given_up = error == net::asio::error::operation_aborted;
    if (error) {
      state->failed.push_back({connection->name, given_up ? net::asio::error::timed_out : error,
                               transport.tls() ? std::string(transport.tls()->fault()) : std::string()});
    }
    state->pool.discard(std::move(connection));
  } else {
    state->winner = std::move(connection);
  }
  if (!state->over) state->tell();
}

net::Task<> ConnectRace::wait() {
  if (!state_->news) co_await state_->parking.wait();
  state_->news = false;
}

void ConnectRace::wake() {
  net::asio::post(state_->executor, [state = state_] {
    if (!state->over) state->tell();
  });
}

ConnectionPool::Lease ConnectRace::take_winner() {
  return std::move(state_->winner);
}

std::vector<ConnectRace::Failed> ConnectRace::take_failed() {
  return std::exchange(state_->failed, {});
}

bool ConnectRace::under_way() const {
  return !state_->under_way.empty();
}

std::vector<std::string> ConnectRace::silent() const {
  std::vector<std::string> names;
  for (const Connection* const each : state_->under_way) names.push_back(each->name);
  return names;
}

bool ConnectRace::give_up_oldest() {
  if (state_->under_way.empty()) return false;
  state_->under_way.front()->stream.cancel();
  return true;
}

}  // namespace spillway::upstream
