#include "sink/file_output.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <cerrno>
#include <charconv>
#include <climits>
#include <memory>
#include <utility>
#include <vector>

namespace logflume {
namespace {

OutputRecord record_of(const DiskStatus& status) {
  return {status.device, status.inode, status.birth_ns, status.size_bytes};
}

// Cuts `file` where it is the one of `record`; nullopt where it is another one.
Result<std::optional<CutResult>> cut_if_same(DiskFile& file, const OutputRecord& record,
                                             std::uint64_t& cut_bytes) {
  auto status = file.status();
  if (!status) return std::move(status).error();
  if (!status->regular || !record_of(*status).same_file(record)) return std::optional<CutResult>();
  if (status->size_bytes < record.length) return std::optional(CutResult::kShortened);
  cut_bytes = status->size_bytes - record.length;
  if (cut_bytes != 0) {
    if (auto cut = file.truncate(record.length); !cut) return std::move(cut).error();
  }
  // Also what an earlier start has cut: it may have been killed before it was durable.
  if (auto synced = file.sync(); !synced) return std::move(synced).error();
  return std::optional(CutResult::kClean);
}

}  // namespace

// -- OutputRecord -----------------------------------------------------------------------------------------

std::string OutputRecord::encode() const {
  return fmt::format("1 {} {} {} {}", device, inode, birth_ns, length);
}

std::optional<OutputRecord> OutputRecord::decode(std::string_view text) {
  OutputRecord record;
  unsigned version = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto number = [&](auto& value) {
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc()) return false;
    at = next;
    return true;
  };
  const auto space = [&] { return at != end && *at++ == ' '; };
  if (!number(version) || version != 1 || !space() || !number(record.device) || !space() ||
      !number(record.inode) || !space() || !number(record.birth_ns) || !space() || !number(record.length) ||
      at != end) {
    return std::nullopt;
  }
  return record;
}

bool OutputRecord::same_file(const OutputRecord& other) const {
  if (inode != other.inode || birth_ns != other.birth_ns) return false;
  return birth_ns != 0 || device == other.device;
}

// -- FileOutput -------------------------------------------------------------------------------------------

Result<FileOutput> FileOutput::open(Disk& disk, const std::string& path) {
  const std::string parent = parent_directory(path);
  if (auto made = make_directories(disk, parent); !made) return std::move(made).error();

  auto file = disk.open(path, DiskOpen::kAppend);
  if (!file) return std::move(file).error();
  FileOutput output(disk);
  output.path_ = path;
  output.file_ = std::move(*file);
  auto status = output.file_->status();
  if (!status) return std::move(status).error();
  if (!status->regular) return Error{Errc::kInvalidArgument, 0, "open " + path + ": not a regular file"};
  // Whoever created it, perhaps this sink a moment ago, may have gone before its name was durable.
  output.unsynced_directory_ = parent;
  output.record_ = record_of(*status);
  return output;
}

bool FileOutput::at_path() const {
  const auto status = disk_->status(path_);
  if (!status) return status.error().code != Errc::kNotFound;
  return status->inode == record_.inode && status->device == record_.device;
}

Result<bool> FileOutput::refresh() {
  auto status = file_->status();
  if (!status) return std::move(status).error();
  return std::exchange(record_.length, status->size_bytes) != status->size_bytes;
}

Result<void> FileOutput::append(std::span<iovec> pieces) {
  torn_ = true;
  return append_all(*file_, pieces);
}

Result<void> FileOutput::rollback() {
  if (!torn_) return {};
  auto status = file_->status();
  if (!status) return std::move(status).error();
  // Only ever shorter: a file that somebody else has truncated would be filled up with NULs.
  if (status->size_bytes > record_.length) {
    if (auto cut = file_->truncate(record_.length); !cut) return cut;
  }
  // Durably: the record of its length may be dropped next, and nothing would cut it again.
  if (auto synced = file_->sync(); !synced) return synced;
  record_.length = std::min(record_.length, status->size_bytes);
  torn_ = false;
  return {};
}

Result<void> FileOutput::sync() {
  if (auto synced = file_->sync(); !synced) return synced;
  if (!unsynced_directory_.empty()) {
    if (auto synced = disk_->sync_directory(unsynced_directory_); !synced) return synced;
    unsynced_directory_.clear();
  }
  auto status = file_->status();
  if (!status) return std::move(status).error();
  unlinked_ = status->links == 0;
  synced_length_ = status->size_bytes;
  return {};
}

void FileOutput::accept() {
  record_.length = synced_length_;
  torn_ = false;
}

// -- At the start -----------------------------------------------------------------------------------------

Result<CutResult> cut_to_record(Disk& disk, const std::string& path, const OutputRecord& record,
                                std::uint64_t& cut_bytes) {
  cut_bytes = 0;
  auto file = disk.open(path, DiskOpen::kWrite);
  if (file) {
    auto cut = cut_if_same(**file, record, cut_bytes);
    if (!cut) return std::move(cut).error();
    if (*cut) return **cut;
  } else if (const Error& error = file.error();
             error.code != Errc::kNotFound && error.os_errno != ENXIO && error.os_errno != EISDIR) {
    return error;
  }

  // It may have been rotated while we were not running.
  const std::string parent = parent_directory(path);
  const auto entries = disk.list(parent);
  if (!entries) return entries.error();
  for (const DiskEntry& entry : *entries) {
    if (entry.inode != record.inode) continue;
    file = disk.open(parent + "/" + entry.name, DiskOpen::kWrite);
    if (!file) return std::move(file).error();
    auto cut = cut_if_same(**file, record, cut_bytes);
    if (!cut) return std::move(cut).error();
    if (*cut) return **cut;
  }
  return CutResult::kMissing;
}

std::string confine_path(std::string_view path, std::size_t fixed_bytes) {
  std::string result(path.substr(0, fixed_bytes));
  std::string_view rest = path.substr(std::min(fixed_bytes, path.size()));
  while (true) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part == ".") {
      result += "_";
    } else if (part == "..") {
      result += "__";
    } else if (part.size() > NAME_MAX) {
      constexpr std::size_t kHashChars = 17;
      result += part.substr(0, NAME_MAX - kHashChars);
      result += fmt::format("-{:016x}", XXH3_64bits(part.data(), part.size()));
    } else if (part.empty() && slash == std::string_view::npos) {
      result += "_";  // the name itself came out empty
    } else {
      result += part;
    }
    if (slash == std::string_view::npos) return result;
    result += '/';
    rest.remove_prefix(slash + 1);
  }
}

}  // namespace logflume
