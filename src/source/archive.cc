#include "source/archive.h"

#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cstring>

namespace logflume {
namespace {

constexpr std::size_t kInputBytes = 64 * 1024;

}  // namespace

bool is_archive(const std::string& path) {
  const auto format = archive_format_of(path);
  if (!format) return false;
  const Result<UniqueFd> fd = open_regular(path);
  const Result<std::string> head = fd ? read_head(fd->get(), kMagicBytesMax) : fd.error();
  return head && compare_magic(*format, *head) == Magic::kMatches;
}

// -- Verification -----------------------------------------------------------------------------------------

void Archive::begin(const Version& version) {
  release();
  stage_ = Stage::kUnverified;
  version_ = version;
  error_.reset();
  head_.clear();
  size_bytes_ = 0;
  for (auto& [offset, seam] : seams_) seam.reset();
  sightings.clear();
}

Result<Archive::Stage> Archive::verify(int fd, std::size_t bytes_max) {
  if (!decoder_) restart();
  std::size_t left = head_.size() < Prefix::kBytesMax ? Prefix::kBytesMax - head_.size() : bytes_max;
  while (left > 0 && stage_ == Stage::kUnverified) {
    const std::uint64_t before = position_;
    const Result<Decoded> decoded = decode(fd, left);
    if (!decoded) {
      if (decoded.error().code != Errc::kCorrupt) return decoded.error();
      stage_ = Stage::kCorrupt;
      error_ = decoded.error();
      error_at_ = input_offset_ - (input_end_ - input_begin_);
      break;
    }
    if (head_.size() < Prefix::kBytesMax) {
      head_.append(window_.data() + window_bytes_ - decoded->bytes, decoded->bytes);
    }
    capture(before);
    if (decoded->ended) {
      stage_ = cut_off_ ? Stage::kIncomplete : Stage::kComplete;
      size_bytes_ = position_;
      seams_[position_] = seam_before(position_);
    }
    // A decoder that only swallows has had its turn as well.
    left -= std::min(left, std::max({decoded->bytes, decoded->consumed, std::size_t{1}}));
    if (head_.size() < Prefix::kBytesMax) left = std::min(left, Prefix::kBytesMax - head_.size());
  }
  return stage_;
}

void Archive::want(std::uint64_t offset) {
  std::optional<Seam>& seam = seams_[offset];
  if (seam || !decoder_ || offset > position_ || offset < window_begin()) return;
  if (window_begin() == 0 || offset - window_begin() >= Seam::kBytesMax) seam = seam_before(offset);
}

const Seam* Archive::seam_at(std::uint64_t offset) const {
  const auto it = seams_.find(offset);
  return it == seams_.end() || !it->second ? nullptr : &*it->second;
}

void Archive::capture(std::uint64_t from) {
  for (auto it = seams_.upper_bound(from); it != seams_.end() && it->first <= position_; ++it) {
    it->second = seam_before(it->first);
  }
}

Seam Archive::seam_before(std::uint64_t offset) const {
  const auto index = static_cast<std::size_t>(offset - window_begin());
  return Seam::before(window_.data() + index, index);
}

// -- Reading ----------------------------------------------------------------------------------------------

bool Archive::near(std::uint64_t offset) const {
  return decoder_ != nullptr && offset >= window_begin() && offset <= position_ + kStepBytes;
}

Result<bool> Archive::advance(int fd, std::uint64_t offset, std::size_t bytes_max) {
  if (!decoder_ || offset < window_begin()) restart();
  heading_for_ = offset;
  while (!near(offset) && bytes_max > 0) {
    const Result<Decoded> decoded = decode(fd, bytes_max);
    if (!decoded) return decoded.error();
    if (decoded->ended) return Error{Errc::kCorrupt, 0, "it ends before the position"};
    bytes_max -= std::min(bytes_max, std::max({decoded->bytes, decoded->consumed, std::size_t{1}}));
  }
  if (!near(offset)) return false;
  heading_for_.reset();
  return true;
}

void Archive::pin(std::uint64_t offset, std::size_t bytes) {
  assert(near(offset));
  pin_begin_ = offset;
  pin_bytes_max_ = bytes;
  pin_.clear();
  if (offset >= position_) return;
  const char* from = window_.data() + (offset - window_begin());
  pin_.assign(from, from + std::min<std::uint64_t>(bytes, position_ - offset));
}

void Archive::release() {
  decoder_.reset();
  input_ = {};
  window_ = {};
  pin_ = {};
  pin_bytes_max_ = window_bytes_ = input_begin_ = input_end_ = 0;
  position_ = 0;
  heading_for_.reset();
}

Result<std::size_t> Archive::read(int fd, std::uint64_t offset, std::span<char> to) {
  if (pinned() && offset >= pin_begin_ && offset + to.size() <= pin_begin_ + pin_.size()) {
    std::memcpy(to.data(), pin_.data() + (offset - pin_begin_), to.size());
    return to.size();
  }
  if (!decoder_ || offset < window_begin()) restart();
  std::size_t done = 0;
  while (true) {
    if (offset + done < position_) {
      const auto index = static_cast<std::size_t>(offset + done - window_begin());
      const std::size_t bytes = std::min(window_bytes_ - index, to.size() - done);
      std::memcpy(to.data() + done, window_.data() + index, bytes);
      done += bytes;
    }
    if (done == to.size()) return done;
    const Result<Decoded> decoded = decode(fd, kStepBytes);
    if (!decoded) return decoded.error();
    if (!decoded->ended) continue;
    if (cut_off_) return Error{Errc::kCorrupt, 0, "it is shorter than it was"};
    if (decoded->bytes == 0) return done;
  }
}

// -- Decoding ---------------------------------------------------------------------------------------------

void Archive::restart() {
  release();
  decoder_ = make_archive_decoder(format_);
  input_.resize(kInputBytes);
  window_.resize(kKeepBytes + kStepBytes);
  input_offset_ = 0;
  within_member_ = cut_off_ = output_was_full_ = false;
}

// Appends at most `bytes_max` bytes to the window, and swallows about as many.
Result<Archive::Decoded> Archive::decode(int fd, std::size_t bytes_max) {
  bytes_max = std::min(bytes_max, kStepBytes);
  if (window_bytes_ + bytes_max > window_.size()) {
    std::memmove(window_.data(), window_.data() + window_bytes_ - kKeepBytes, kKeepBytes);
    window_bytes_ = kKeepBytes;
  }
  Decoded decoded;
  while (decoded.bytes < bytes_max && decoded.consumed < kStepBytes) {
    if (input_begin_ == input_end_ && !output_was_full_) {
      const ssize_t n = ::pread(fd, input_.data(), input_.size(), static_cast<off_t>(input_offset_));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error("read");
      if (n == 0) {
        decoded.ended = true;
        cut_off_ = within_member_ || input_offset_ == 0;
        break;
      }
      input_begin_ = 0;
      input_end_ = static_cast<std::size_t>(n);
      input_offset_ += static_cast<std::uint64_t>(n);
    }
    const std::span<char> to(window_.data() + window_bytes_, bytes_max - decoded.bytes);
    const std::span<const char> from(input_.data() + input_begin_, input_end_ - input_begin_);
    const Result<ArchiveDecoder::Step> step = decoder_->decode(from, to);
    if (!step) return step.error();
    if (step->consumed + step->produced == 0 && !from.empty() && !step->member_ended) {
      return Error{Errc::kCorrupt, 0, "its data leads nowhere"};
    }
    if (step->consumed > 0 || step->produced > 0) within_member_ = true;
    if (step->member_ended) within_member_ = false;
    output_was_full_ = step->produced == to.size() && !step->member_ended;
    input_begin_ += step->consumed;
    window_bytes_ += step->produced;
    position_ += step->produced;
    decoded.bytes += step->produced;
    decoded.consumed += step->consumed;
    if (pinned() && pin_.size() < pin_bytes_max_) {
      const std::size_t room = pin_bytes_max_ - pin_.size();
      const std::size_t produced = std::min(room, step->produced);
      pin_.insert(pin_.end(), to.data(), to.data() + produced);
    }
  }
  return decoded;
}

}  // namespace logflume
