#include "tests/integration/api/own_postgres.hpp"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <doctest/doctest.h>

#include "tests/integration/api/database.hpp"

namespace api::test {

namespace {

std::string postgres_script() {
  return SOURCE_FOLDER "/deploy/dev/postgres.sh";
}

/// The child processes of a process.
std::vector<pid_t> children(pid_t parent) {
  const std::string task = "/proc/" + std::to_string(parent) + "/task/" + std::to_string(parent) + "/children";
  std::ifstream file(task);
  std::vector<pid_t> pids;
  for (pid_t pid = 0; file >> pid;) pids.push_back(pid);
  return pids;
}

}  // namespace

OwnPostgres::OwnPostgres() {
  // User postgres must be able to enter the folder if root runs the test.
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0711));
  start();
}

OwnPostgres::OwnPostgres(const OwnPostgres* primary) {
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0711));
  // Run as the owner of the primary's files; `start` uses an existing data folder.
  const std::string dir = folder_.path("postgres");
  const std::string copy = "dir=" + dir + "; from=" + primary->host() +
                           "; data=" + primary->folder_.path("postgres/data") +
                           "; owner=$(stat -c %U \"$data\"); install -d -m 0700 -o \"$owner\" \"$dir\"; cd /; "
                           "as=; [ $(id -u) != 0 ] || as=\"setpriv --reuid=$owner --regid=$owner --init-groups --\"; "
                           "$as pg_basebackup -D \"$dir/data\" -h \"$from\" -U spillway -R -X stream -c fast --no-sync";
  REQUIRE(std::system(copy.c_str()) == 0);
  start();
}

OwnPostgres::~OwnPostgres() {
  thaw();
  (void)!std::system(command("remove").c_str());
}

void OwnPostgres::fill() const {
  const std::string config = "database: {url: \"" + url() + "\"}\n";
  REQUIRE(Program(Start{config, {"migrate"}, {}, {}}).wait() == 0);
  REQUIRE(Program(Start{config, {"seed-demo", "--scholarships", "500"}, {}, {}}).wait() == 0);
}

void OwnPostgres::start() const {
  REQUIRE(std::system(command("start").c_str()) == 0);
}

std::string OwnPostgres::url() const {
  return output("url");
}

std::string OwnPostgres::host() const {
  const std::string text = url();
  return text.substr(text.find("host=") + 5);
}

void OwnPostgres::end(int signal) const {
  const pid_t pid = std::stoi(output("pid"));
  REQUIRE(::kill(pid, signal) == 0);
  REQUIRE(eventually([pid] { return ::kill(pid, 0) != 0; }));
}

void OwnPostgres::freeze() {
  const pid_t postmaster = std::stoi(output("pid"));
  REQUIRE(::kill(postmaster, SIGSTOP) == 0);
  frozen_ = children(postmaster);
  for (pid_t pid : frozen_) ::kill(pid, SIGSTOP);
  frozen_.push_back(postmaster);
}

void OwnPostgres::thaw() {
  for (pid_t pid : frozen_) ::kill(pid, SIGCONT);
  frozen_.clear();
}

std::string OwnPostgres::command(const std::string& verb) const {
  return "SPILLWAY_POSTGRES_SETTINGS='fsync = off' setsid -w " + postgres_script() + " " + verb + " " +
         folder_.path("postgres");
}

std::string OwnPostgres::output(const std::string& verb) const {
  std::FILE* pipe = ::popen(command(verb).c_str(), "r");
  REQUIRE(pipe != nullptr);
  char line[512] = "";
  CHECK(std::fgets(line, sizeof(line), pipe) != nullptr);
  REQUIRE(::pclose(pipe) == 0);
  const std::string text = line;
  return text.substr(0, text.find('\n'));
}

}  // namespace api::test
