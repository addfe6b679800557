// When a compressed file may be read: not before it is complete, and one at a time.
#pragma once

#include <optional>

#include "source/file_catalog.h"
#include "source/handle_pool.h"
#include "source/source.h"

namespace logflume {

// Verifies archives in steps, so that a large one never keeps the source's thread from live files, and lends
// the decoder (its windows take up to some 100 MiB) to one archive at a time.
//
// Threads: the source's.
class ArchiveGate {
 public:
  ArchiveGate(SourceContext& context, FileCatalog& catalog, HandlePool& handles)
      : context_(context), catalog_(catalog), handles_(handles) {}

  enum class Answer {
    kOpen,     // go on
    kMore,     // a step was done, there are more
    kWait,     // ask again at retry_at()
    kNothing,  // nothing to do before it changes
    kChanged,  // what was read of it is no longer there
    kFailed,   // it could not be opened or read: error()
  };
  // Before `file`, which has an archive's name, is identified or read. `bytes`: of what was decoded.
  Answer look(TailedFile& file, TimePoint now, std::size_t& bytes);
  // Before a read of an archive from `position` on, whose seam has `seam_bytes`.
  Answer go_to(TailedFile& file, std::uint64_t position, std::size_t seam_bytes, TimePoint now,
               std::size_t& bytes);
  // The decoder of `file` stands elsewhere, and served somebody there a moment ago.
  static bool busy_elsewhere(const TailedFile& file, std::uint64_t position, std::size_t seam_bytes,
                             TimePoint now);
  // It was read to its end, or waits for others: its decoder may go.
  void leave(TailedFile& file);
  // The archive is not what was verified, or has to be looked at again.
  void verify_again(TailedFile& file) { restart(file, file.archive->version()); }

  TimePoint retry_at() const { return retry_at_; }
  const Error& error() const { return *error_; }

 private:
  Answer find_format(TailedFile& file);
  Answer verify(TailedFile& file, TimePoint now, std::size_t& bytes);
  Answer changing(TailedFile& file, TimePoint now);
  Answer incomplete(TailedFile& file, TimePoint now);
  void restart(TailedFile& file, const Archive::Version& version);
  bool take_decoder(TailedFile& file, TimePoint now);
  Answer failed(const Error& error);

  SourceContext& context_;
  FileCatalog& catalog_;
  HandlePool& handles_;
  FileToken user_ = 0;  // of the decoder; 0: nobody
  TimePoint retry_at_{};
  std::optional<Error> error_;
};

}  // namespace logflume
