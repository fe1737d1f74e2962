#pragma once

#include <cstddef>

namespace text {

template <class T>
class List;

/// Base of what can be in one List at a time. Its neighbours point at it: a copy is in no list, and what is assigned to
/// stays where it is.
template <class T>
class Linked {
 public:
  Linked() = default;
  Linked(const Linked&) {}
  Linked& operator=(const Linked&) { return *this; }

  T* next() const { return next_; }

 private:
  friend class List<T>;
  T* next_ = nullptr;
  T* previous_ = nullptr;
};

/// A doubly linked list that owns nothing and allocates nothing.
template <class T>
class List {
 public:
  T* front() const { return front_; }
  T* back() const { return back_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  void push_front(T& item) {
    item.next_ = front_;
    item.previous_ = nullptr;
    (front_ ? front_->previous_ : back_) = &item;
    front_ = &item;
    ++size_;
  }
  void push_back(T& item) {
    item.previous_ = back_;
    item.next_ = nullptr;
    (back_ ? back_->next_ : front_) = &item;
    back_ = &item;
    ++size_;
  }
  /// `item` must be in this list.
  void erase(T& item) {
    (item.previous_ ? item.previous_->next_ : front_) = item.next_;
    (item.next_ ? item.next_->previous_ : back_) = item.previous_;
    item.next_ = item.previous_ = nullptr;
    --size_;
  }
  T* pop_front() {
    T* item = front_;
    if (item) erase(*item);
    return item;
  }

 private:
  T* front_ = nullptr;
  T* back_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace text
