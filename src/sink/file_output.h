// One file that the file sink writes: appended to, made durable, and cut back to what was acknowledged.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "disk/disk.h"

namespace logflume {

// What the checkpoint store keeps of an output, together with the acknowledgements: which file it was, and
// how long when everything in it was acknowledged. Format: docs/formats/checkpoint.md, sink states.
struct OutputRecord {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t birth_ns = 0;  // 0 where the file system does not know
  std::uint64_t length = 0;   // bytes

  // "1 DEVICE INODE BIRTH_NS LENGTH"; the 1 is the format's version.
  std::string encode() const;
  static std::optional<OutputRecord> decode(std::string_view text);
  // A device number may change with a reboot, so it decides only where there is no birth time.
  bool same_file(const OutputRecord& other) const;
};

// Threads:   one. Calls block on the disk.
// Invariant: of the bytes behind record().length none was acknowledged.
class FileOutput {
 public:
  // Opens for appending; creates the file and the directories above it. Errors: kInvalidArgument (not a
  // regular file), kNotFound, kPermission, kIo.
  static Result<FileOutput> open(Disk& disk, const std::string& path);

  const std::string& path() const { return path_; }
  // Its identity, and its length at the last accept(), refresh() or open().
  const OutputRecord& record() const { return record_; }
  // False once the path names another file, or none: it was rotated away.
  bool at_path() const;
  // Takes note of what others did to it since the last accept(): true when its length is another one now.
  // REQUIRES: !torn().
  Result<bool> refresh();

  // Appends all of it. Until accept() the file is torn: it ends with what may have to be taken back.
  Result<void> append(std::span<iovec> pieces);
  // Cuts what was appended since the last accept(), durably.
  Result<void> rollback();

  // Makes what was appended durable, and the file's name too.
  // After an error nothing is known about what was appended: rollback() and write it again (the kernel
  // reports a failed write-back once, and then calls the page clean).
  Result<void> sync();
  // What was synced stays. REQUIRES: sync() succeeded and nothing was appended after it.
  void accept();
  // True after sync() when nothing links to the file any more: what was appended cannot be found by anybody.
  bool unlinked() const { return unlinked_; }

 private:
  explicit FileOutput(Disk& disk) : disk_(&disk) {}

  Disk* disk_;
  std::string path_;
  std::unique_ptr<DiskFile> file_;
  OutputRecord record_;
  std::string unsynced_directory_;  // where its name may not be durable yet; empty: it is
  std::uint64_t synced_length_ = 0;
  bool torn_ = false;
  bool unlinked_ = false;
};

enum class CutResult {
  kClean,      // the file is as long as recorded, or was cut to it
  kShortened,  // somebody else made it shorter
  kMissing,    // it is nowhere in its directory
};

// Cuts the file that `record` was made of back to its length, under `path` or, when it was renamed meanwhile,
// under any name in the same directory. Any other file is left alone. `cut_bytes`: how much was cut.
// Errors: kNotFound (the directory is missing), kPermission, kIo: nothing was done, try again.
Result<CutResult> cut_to_record(Disk& disk, const std::string& path, const OutputRecord& record,
                                std::uint64_t& cut_bytes);

// Keeps a rendered path inside the directory that its template names. `fixed_bytes`: how much of the path's
// begin stands in the template itself. Behind it the parts "." and "..", which would lead elsewhere, are
// replaced, and parts longer than a file name may be are shortened, kept apart by a hash.
std::string confine_path(std::string_view path, std::size_t fixed_bytes);

}  // namespace logflume
