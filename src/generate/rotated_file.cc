#include "generate/rotated_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace logflume {
namespace {

constexpr std::size_t kCopyBytes = 256 * 1024;

Result<void> compress(const std::string& from, const std::string& to) {
  UniqueFd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.valid()) return errno_error("open " + from);
  const std::string unfinished = to + ".tmp";
  gzFile out = ::gzopen(unfinished.c_str(), "wb1e");
  if (out == nullptr) return errno_error("create " + unfinished);
  std::vector<char> buffer(kCopyBytes);
  std::optional<Error> failed;
  for (;;) {
    const ssize_t got = ::read(in.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) failed = errno_error("read " + from);
    if (got <= 0) break;
    if (::gzwrite(out, buffer.data(), static_cast<unsigned>(got)) != got) {
      failed = errno_error("write " + unfinished);
      break;
    }
  }
  if (::gzclose(out) != Z_OK && !failed) failed = errno_error("write " + unfinished);
  if (!failed && ::rename(unfinished.c_str(), to.c_str()) != 0) failed = errno_error("rename " + unfinished);
  if (failed) {
    ::unlink(unfinished.c_str());
    return *std::move(failed);
  }
  if (::unlink(from.c_str()) != 0) return errno_error("remove " + from);
  return {};
}

}  // namespace

struct RotatedFile::Compression {
  Result<void> outcome;  // the thread's until it is joined
  std::thread thread;
};

RotatedFile::RotatedFile(std::string path, Rotation rotation, std::uint32_t keep)
    : path_(std::move(path)), rotation_(rotation), keep_(keep) {}

RotatedFile::RotatedFile(RotatedFile&&) noexcept = default;

RotatedFile::~RotatedFile() {
  if (compression_ != nullptr) compression_->thread.join();
}

Result<void> RotatedFile::open() {
  fd_ = path_ == "-" ? UniqueFd(::dup(STDOUT_FILENO))
                     : UniqueFd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!fd_.valid()) return errno_error("open " + path_);
  return {};
}

Result<void> RotatedFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd_.get(), bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return errno_error("write " + path_);
    bytes.remove_prefix(static_cast<std::size_t>(wrote));
  }
  return {};
}

std::string RotatedFile::kept(std::uint32_t number) const {
  return fmt::format("{}.{}{}", path_, number, rotation_ == Rotation::kGzip ? ".gz" : "");
}

Result<void> RotatedFile::shift_kept() {
  if (::unlink(kept(keep_).c_str()) != 0 && errno != ENOENT) return errno_error("remove " + kept(keep_));
  for (std::uint32_t number = keep_ - 1; number > 0; --number) {
    if (::rename(kept(number).c_str(), kept(number + 1).c_str()) != 0 && errno != ENOENT) {
      return errno_error("rename " + kept(number));
    }
  }
  return {};
}

Result<void> RotatedFile::copy_and_truncate() {
  const std::string to = path_ + ".1";
  UniqueFd in(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in.valid()) return errno_error("open " + path_);
  UniqueFd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!out.valid()) return errno_error("create " + to);
  for (;;) {
    const ssize_t copied = ::sendfile(out.get(), in.get(), nullptr, kCopyBytes);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) return errno_error("copy to " + to);
    if (copied == 0) break;
  }
  if (::ftruncate(fd_.get(), 0) != 0) return errno_error("truncate " + path_);
  return {};
}

Result<void> RotatedFile::rotate() {
  if (rotation_ == Rotation::kNone) return {};
  if (Result<void> done = finish(); !done) return done;
  if (Result<void> done = shift_kept(); !done) return done;
  ++rotations_;
  if (rotation_ == Rotation::kCopyTruncate) return copy_and_truncate();
  const std::string renamed = path_ + ".1";
  if (::rename(path_.c_str(), renamed.c_str()) != 0) return errno_error("rename " + path_);
  if (Result<void> done = open(); !done) return done;
  if (rotation_ == Rotation::kGzip) {
    compression_ = std::make_unique<Compression>();
    compression_->thread = std::thread([this_run = compression_.get(), renamed, to = kept(1)] {
      this_run->outcome = compress(renamed, to);
    });
  }
  return {};
}

Result<void> RotatedFile::finish() {
  if (compression_ == nullptr) return {};
  compression_->thread.join();
  Result<void> outcome = std::move(compression_->outcome);
  compression_.reset();
  return outcome;
}

}  // namespace logflume
