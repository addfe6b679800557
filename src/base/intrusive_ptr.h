// Shared ownership with the count inside the object: one allocation, one pointer.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace logflume {

// Base of counted objects. Derived classes may define `void destroy()`, called instead of delete when the
// last reference goes (a pooled object returns to its pool).
template <typename Derived>
class RefCounted {
 public:
  RefCounted() = default;
  RefCounted& operator=(const RefCounted&) = delete;

  void ref() const { count_.fetch_add(1, std::memory_order_relaxed); }
  void unref() const {
    // Release publishes this thread's use; the acquire of the last owner sees all of them.
    if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      static_cast<Derived*>(const_cast<RefCounted*>(this))->destroy();
    }
  }
  // One reference is left, the caller's: what others did with the object has happened.
  bool unique() const { return count_.load(std::memory_order_acquire) == 1; }
  std::uint32_t use_count() const { return count_.load(std::memory_order_relaxed); }

 protected:
  // A copy is an object of its own, to which nobody refers yet.
  RefCounted(const RefCounted&) {}
  ~RefCounted() = default;
  void destroy() { delete static_cast<Derived*>(this); }

 private:
  mutable std::atomic<std::uint32_t> count_{0};
};

template <typename T>
class IntrusivePtr {
 public:
  IntrusivePtr() = default;
  IntrusivePtr(std::nullptr_t) {}
  explicit IntrusivePtr(T* object) : object_(object) {
    if (object_ != nullptr) object_->ref();
  }
  IntrusivePtr(const IntrusivePtr& other) : IntrusivePtr(other.object_) {}
  IntrusivePtr(IntrusivePtr&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  IntrusivePtr& operator=(IntrusivePtr other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~IntrusivePtr() {
    if (object_ != nullptr) object_->unref();
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  bool operator==(const IntrusivePtr& other) const { return object_ == other.object_; }

 private:
  T* object_ = nullptr;
};

}  // namespace logflume
