#include "api/users/password_input.hpp"

#include <iostream>

#include <termios.h>
#include <unistd.h>

namespace api::users {

namespace {

/// While it lives, the terminal does not show what is typed.
class Unseen {
 public:
  Unseen() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios unseen = before_;
    unseen.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &unseen) == 0;
  }
  ~Unseen() {
    if (changed_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

bool ask(const char* prompt, std::string& answer) {
  std::cerr << prompt << std::flush;
  const bool read = static_cast<bool>(std::getline(std::cin, answer));
  std::cerr << '\n';
  return read;
}

}  // namespace

bool read_password(std::string& password, std::string& error) {
  if (::isatty(STDIN_FILENO) == 0) {
    if (std::getline(std::cin, password)) return true;
    error = "no password on stdin";
    return false;
  }
  const Unseen unseen;
  std::string again;
  if (!ask("Password: ", password) || !ask("The same again: ", again)) {
    error = "no password was typed";
    return false;
  }
  if (password == again) return true;
  error = "the two passwords differ";
  return false;
}

}  // namespace api::users
