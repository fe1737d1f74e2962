#pragma once

namespace api {

/// How the server tells a request in progress that nobody waits for its answer any more. Whoever waits for something
/// hangs a hook in for that time. Used by one worker thread only.
class Interrupt {
 public:
  using Hook = void (*)(void* target);

  /// Hangs a hook in until the end of the scope.
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

  /// May be called again: each call is more insistent (cancel a query, then drop its connection).
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
