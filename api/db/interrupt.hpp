#pragma once

namespace api {

/// Tells a running request that its client has gone. Code that waits for something sets a hook for that time. Only on
/// one worker's thread.
class Interrupt {
 public:
  using Hook = void (*)(void* target);

  /// Sets a hook until the end of the scope.
  class Scope {
   public:
    Scope(Interrupt& interrupt, Hook hook, void* target) : interrupt_(interrupt) {
      interrupt.hook_ = hook;
      interrupt.target_ = target;
    }
    ~Scope() { interrupt_.hook_ = nullptr; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Interrupt& interrupt_;
  };

  /// May be called again: a hook may first cancel a query, and then close its connection.
  void raise() {
    raised_ = true;
    if (hook_) hook_(target_);
  }
  bool raised() const { return raised_; }
  void reset() { raised_ = false; }

 private:
  Hook hook_ = nullptr;
  void* target_ = nullptr;
  bool raised_ = false;
};

}  // namespace api
