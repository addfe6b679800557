// Errors as values: what an operation may fail with, spelled like std::expected.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>

namespace logflume {

enum class Errc {
  kNotFound,         // a file, key or peer is not there
  kPermission,       // the system refused
  kIo,               // the disk or the network failed; os_errno says how
  kCorrupt,          // stored data failed its checksum or its format
  kInvalidArgument,  // what the user gave is wrong
  kUnsupported,      // this kernel, file system or build cannot do it
  kBusy,             // somebody else holds it
  kNoMemory,         // the memory limit or the system's memory is used up
};

struct Error {
  Errc code = Errc::kIo;
  int os_errno = 0;     // 0 when the system was not involved
  std::string message;  // what was tried and on what, without the reason that os_errno gives

  // "open /var/log/x: Permission denied"
  std::string text() const;
};

// Error from errno, its code chosen by the number.
Error errno_error(std::string message);
Error errno_error(int os_errno, std::string message);

// A value or an Error. Must be looked at: ignoring one is a warning.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // REQUIRES: has_value().
  T& value() & { return *std::get_if<0>(&state_); }
  const T& value() const& { return *std::get_if<0>(&state_); }
  T&& value() && { return std::move(*std::get_if<0>(&state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return std::get_if<0>(&state_); }
  const T* operator->() const { return std::get_if<0>(&state_); }

  // REQUIRES: !has_value().
  const Error& error() const& { return *std::get_if<1>(&state_); }
  Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::make_unique<Error>(std::move(error))) {}

  bool has_value() const { return error_ == nullptr; }
  explicit operator bool() const { return has_value(); }

  // REQUIRES: !has_value().
  const Error& error() const& { return *error_; }
  Error&& error() && { return std::move(*error_); }

 private:
  std::unique_ptr<Error> error_;
};

}  // namespace logflume
