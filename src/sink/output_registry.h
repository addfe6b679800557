// Which files the file sinks of an agent write, so that no file has two writers: each would take the other's
// lines for torn writes of its own and cut them off.
//
// Threads: any. Lifecycle: outlives every claim.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "base/result.h"

namespace logflume {

class OutputRegistry {
 public:
  // One file, by what it is and not by its name, until the claim goes.
  class Claim {
   public:
    Claim() = default;
    Claim(Claim&& other) noexcept
        : registry_(std::exchange(other.registry_, nullptr)), file_(std::move(other.file_)) {}
    Claim& operator=(Claim&& other) noexcept {
      release();
      registry_ = std::exchange(other.registry_, nullptr);
      file_ = other.file_;
      return *this;
    }
    ~Claim() { release(); }

   private:
    friend class OutputRegistry;
    using File = std::pair<std::uint64_t, std::uint64_t>;  // device, inode
    Claim(OutputRegistry& registry, File file) : registry_(&registry), file_(file) {}
    void release() {
      if (registry_ == nullptr) return;
      const std::lock_guard lock(registry_->mutex_);
      registry_->writers_.erase(file_);
      registry_ = nullptr;
    }

    OutputRegistry* registry_ = nullptr;
    File file_;
  };

  // `writer`, for the message: "sink bus as /var/log/bus.log". Errors: kBusy.
  Result<Claim> claim(std::uint64_t device, std::uint64_t inode, const std::string& writer) {
    const std::lock_guard lock(mutex_);
    const auto [known, fresh] = writers_.emplace(std::pair(device, inode), writer);
    if (!fresh) return Error{Errc::kBusy, 0, "the same file is written by " + known->second};
    return Claim(*this, {device, inode});
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> writers_;
};

}  // namespace logflume
