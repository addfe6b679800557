// A compressed file, read as what it holds. Offsets are those of the decompressed bytes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "event/batch.h"
#include "io/block_reader.h"
#include "source/archive_decoder.h"
#include "source/file_identity.h"

namespace logflume {

// Whether the file at `path` is named and begins as an archive. No, where that cannot be read.
bool is_archive(const std::string& path);

// It is decoded once from its beginning to its end before anything is read from it: only a complete one,
// whose checksums are right, is read, and on the way it is seen what the identity needs to know. Then it is a
// BlockReader. Decoding goes forward only: who reads backwards, beyond a window of kKeepBytes, starts again.
//
// Threads: one.
class Archive final : public BlockReader {
 public:
  enum class Stage {
    kUnverified,  // not yet decoded to its end
    kComplete,
    kIncomplete,  // it ends within a member: it is still written, or cut off
    kCorrupt,     // `error()` says why
  };
  static constexpr std::size_t kKeepBytes = 260 * 1024;  // more than a slab and a seam
  static constexpr std::size_t kStepBytes = 256 * 1024;

  explicit Archive(ArchiveFormat format) : format_(format) {}

  // -- Verification ---------------------------------------------------------------------------------------
  Stage stage() const { return stage_; }
  // As it was when the verification began: a change makes it void.
  struct Version {
    std::uint64_t size_bytes = 0;
    std::int64_t modified_ns = 0;
    bool operator==(const Version&) const = default;
  };
  const Version& version() const { return version_; }
  // Forgets what was verified, but not what is wanted.
  void begin(const Version& version);
  // Decodes about `bytes_max` bytes further, to the end of the head first.
  // Errors: kIo and others of reading; they leave the stage as it is. kNoMemory.
  Result<Stage> verify(int fd, std::size_t bytes_max);
  const Error& error() const { return *error_; }
  std::uint64_t error_at() const { return error_at_; }  // of the compressed file, about

  // The first bytes, as many as identify a file. Complete before anything after them is decoded.
  bool head_known() const { return stage_ == Stage::kComplete || head_.size() == Prefix::kBytesMax; }
  const std::string& head() const { return head_; }
  // REQUIRES: stage() is kComplete.
  std::uint64_t size_bytes() const { return size_bytes_; }
  // The bytes before `offset` shall be known when the verification is over.
  void want(std::uint64_t offset);
  // Null when they were not wanted in time, or it ends before.
  const Seam* seam_at(std::uint64_t offset) const;

  // What was last read of another file that begins equally, when this one's head became known.
  struct Sighting {
    std::uint64_t offset = 0;
    Seam seam;
  };
  std::unordered_map<std::uint64_t, Sighting> sightings;  // by the file's token

  // -- Reading --------------------------------------------------------------------------------------------
  // True when a read from `offset` needs neither a start from the beginning nor much decoding.
  bool near(std::uint64_t offset) const;
  // Decodes towards `offset`, about `bytes_max` bytes. True when it is near().
  Result<bool> advance(int fd, std::uint64_t offset, std::size_t bytes_max);
  // advance() is on its way to `offset`.
  bool heading_for(std::uint64_t offset) const { return heading_for_ == offset; }
  // Keeps `bytes` bytes from `offset` on, for a line that is looked at again when its end was found.
  // REQUIRES: near(offset).
  void pin(std::uint64_t offset, std::size_t bytes);
  bool pinned() const { return pin_bytes_max_ > 0; }
  bool decoding() const { return decoder_ != nullptr; }
  // Lets go of decoder and windows; what was verified stays.
  void release();

  // BlockReader. Errors: kCorrupt: it is not what was verified.
  Result<std::size_t> read(int fd, std::uint64_t offset, std::span<char> to) override;
  void forget(int /*fd*/) override {}
  std::string_view name() const override { return "archive"; }

  TimePoint last_use{};    // of the decoder
  TimePoint written_at{};  // when it was last found changed
  bool reported = false;   // that it is incomplete

 private:
  struct Decoded {
    std::size_t bytes = 0;     // behind position_, in the window
    std::size_t consumed = 0;  // compressed
    bool ended = false;
  };
  void restart();
  Result<Decoded> decode(int fd, std::size_t bytes_max);
  void capture(std::uint64_t from);
  std::uint64_t window_begin() const { return position_ - window_bytes_; }
  Seam seam_before(std::uint64_t offset) const;

  const ArchiveFormat format_;
  Stage stage_ = Stage::kUnverified;
  Version version_;
  std::optional<Error> error_;
  std::uint64_t error_at_ = 0;
  std::string head_;
  std::uint64_t size_bytes_ = 0;
  std::map<std::uint64_t, std::optional<Seam>> seams_;

  std::unique_ptr<ArchiveDecoder> decoder_;
  std::vector<char> input_;
  std::size_t input_begin_ = 0;
  std::size_t input_end_ = 0;
  std::uint64_t input_offset_ = 0;  // in the file, of what is read next
  bool within_member_ = false;
  bool cut_off_ = false;          // the file ended within a member
  bool output_was_full_ = false;  // there may be more inside the decoder
  std::vector<char> window_;      // the last bytes before position_
  std::size_t window_bytes_ = 0;
  std::uint64_t position_ = 0;
  std::optional<std::uint64_t> heading_for_;
  std::vector<char> pin_;
  std::size_t pin_bytes_max_ = 0;
  std::uint64_t pin_begin_ = 0;
};

}  // namespace logflume
