// A child process that takes the other end of what is measured: its CPU time and its context switches are not
// ours.
#pragma once

#include <sys/types.h>

#include <functional>

#include "base/result.h"

namespace logflume {

class Child {
 public:
  // Forks; `work` runs in the child, which exits when it returns. It may use only what is safe after a fork.
  // REQUIRES: no other thread runs that could hold a lock.
  static Result<Child> start(const std::function<void()>& work);
  // Kills it and waits for its end.
  ~Child();
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;

 private:
  explicit Child(pid_t pid) : pid_(pid) {}

  pid_t pid_;  // 0: moved away
};

}  // namespace logflume
