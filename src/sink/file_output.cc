#include "sink/file_output.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <xxhash.h>

#include <cerrno>
#include <charconv>
#include <climits>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

namespace logflume {
namespace {

constexpr mode_t kFileMode = 0644;
constexpr mode_t kDirectoryMode = 0755;

struct FileState {
  OutputRecord record;
  bool regular = false;
  std::uint32_t links = 0;
};

Result<FileState> file_state(int fd, const std::string& path) {
  struct statx info {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &info) != 0) {
    return errno_error("stat " + path);
  }
  FileState state;
  state.record.device = (std::uint64_t{info.stx_dev_major} << 32) | info.stx_dev_minor;
  state.record.inode = info.stx_ino;
  if ((info.stx_mask & STATX_BTIME) != 0) {
    state.record.birth_ns = info.stx_btime.tv_sec * 1'000'000'000 + info.stx_btime.tv_nsec;
  }
  state.record.length = info.stx_size;
  state.regular = S_ISREG(info.stx_mode);
  state.links = info.stx_nlink;
  return state;
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<void> sync_directory(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("open " + path);
  // Some file systems cannot sync a directory, and need not.
  if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != ENOTSUP) return errno_error("fsync " + path);
  return {};
}

// Creates what is missing of `path`, each new directory durably.
Result<void> make_directories(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) return {};  // what is no directory fails at the open of the file
  const std::string parent = parent_of(path);
  if (parent != path) {
    if (auto made = make_directories(parent); !made) return made;
  }
  if (::mkdir(path.c_str(), kDirectoryMode) != 0) {
    if (errno == EEXIST) return {};
    return errno_error("create directory " + path);
  }
  return sync_directory(parent);
}

// Cuts `fd` where it is the file of `record`; nullopt where it is another one.
Result<std::optional<CutResult>> cut_if_same(int fd, const std::string& path, const OutputRecord& record,
                                             std::uint64_t& cut_bytes) {
  auto state = file_state(fd, path);
  if (!state) return std::move(state).error();
  if (!state->regular || !state->record.same_file(record)) return std::optional<CutResult>();
  if (state->record.length < record.length) return std::optional(CutResult::kShortened);
  cut_bytes = state->record.length - record.length;
  if (cut_bytes != 0) {
    if (::ftruncate(fd, static_cast<off_t>(record.length)) != 0) return errno_error("truncate " + path);
    if (::fsync(fd) != 0) return errno_error("fsync " + path);
  }
  return std::optional(CutResult::kClean);
}

constexpr int kCutFlags = O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;  // a FIFO must not hang us

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

Result<FileOutput> FileOutput::open(const std::string& path) {
  const std::string parent = parent_of(path);
  if (auto made = make_directories(parent); !made) return std::move(made).error();

  // O_EXCL first, to know whether it was created: then its directory entry has to be made durable too.
  // O_NONBLOCK, because a FIFO without a reader would block; it means nothing for a regular file.
  constexpr int kFlags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  FileOutput output;
  output.path_ = path;
  output.fd_ = UniqueFd(::open(path.c_str(), kFlags | O_CREAT | O_EXCL, kFileMode));
  if (output.fd_.valid()) {
    output.created_in_ = parent;
  } else if (errno == EEXIST) {
    // O_CREAT again: a link whose target is missing exists for O_EXCL only.
    output.fd_ = UniqueFd(::open(path.c_str(), kFlags | O_CREAT, kFileMode));
  }
  if (!output.fd_.valid()) return errno_error("open " + path);
  auto state = file_state(output.fd_.get(), path);
  if (!state) return std::move(state).error();
  if (!state->regular) return Error{Errc::kInvalidArgument, 0, "open " + path + ": not a regular file"};
  output.record_ = state->record;
  return output;
}

bool FileOutput::at_path() const {
  struct stat info {};
  if (::stat(path_.c_str(), &info) != 0) return errno != ENOENT && errno != ENOTDIR;
  return info.st_ino == record_.inode &&
         ((std::uint64_t{major(info.st_dev)} << 32) | minor(info.st_dev)) == record_.device;
}

Result<bool> FileOutput::refresh() {
  auto state = file_state(fd_.get(), path_);
  if (!state) return std::move(state).error();
  return std::exchange(record_.length, state->record.length) != state->record.length;
}

Result<void> FileOutput::append(std::span<iovec> pieces) {
  torn_ = true;
  while (!pieces.empty()) {
    const std::size_t count = std::min<std::size_t>(pieces.size(), IOV_MAX);
    const ssize_t result = ::writev(fd_.get(), pieces.data(), static_cast<int>(count));
    if (result < 0) {
      if (errno == EINTR) continue;
      return errno_error("write " + path_);
    }
    auto written = static_cast<std::size_t>(result);
    while (!pieces.empty() && written >= pieces.front().iov_len) {
      written -= pieces.front().iov_len;
      pieces = pieces.subspan(1);
    }
    if (written != 0) {  // a short write: usually the disk is full, and the next attempt says so
      pieces.front().iov_base = static_cast<char*>(pieces.front().iov_base) + written;
      pieces.front().iov_len -= written;
    }
  }
  return {};
}

Result<void> FileOutput::rollback() {
  if (!torn_) return {};
  auto state = file_state(fd_.get(), path_);
  if (!state) return std::move(state).error();
  // Only ever shorter: ftruncate() would fill up a file that somebody else has truncated with NULs.
  if (state->record.length > record_.length &&
      ::ftruncate(fd_.get(), static_cast<off_t>(record_.length)) != 0) {
    return errno_error("truncate " + path_);
  }
  record_.length = std::min(record_.length, state->record.length);
  torn_ = false;
  return {};
}

Result<void> FileOutput::sync() {
  if (::fdatasync(fd_.get()) != 0) return errno_error("fdatasync " + path_);
  if (!created_in_.empty()) {
    if (auto synced = sync_directory(created_in_); !synced) return synced;
    created_in_.clear();
  }
  auto state = file_state(fd_.get(), path_);
  if (!state) return std::move(state).error();
  unlinked_ = state->links == 0;
  synced_length_ = state->record.length;
  return {};
}

void FileOutput::accept() {
  record_.length = synced_length_;
  torn_ = false;
}

// -- At the start -----------------------------------------------------------------------------------------

Result<CutResult> cut_to_record(const std::string& path, const OutputRecord& record,
                                std::uint64_t& cut_bytes) {
  cut_bytes = 0;
  UniqueFd fd(::open(path.c_str(), kCutFlags));
  if (fd.valid()) {
    auto cut = cut_if_same(fd.get(), path, record, cut_bytes);
    if (!cut) return std::move(cut).error();
    if (*cut) return **cut;
  } else if (errno != ENOENT && errno != ENOTDIR && errno != ENXIO && errno != EISDIR) {
    return errno_error("open " + path);
  }

  // It may have been rotated while we were not running.
  const std::string parent = parent_of(path);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(parent.c_str()), &::closedir);
  if (directory == nullptr) return errno_error("open " + parent);
  while (const dirent* entry = ::readdir(directory.get())) {
    if (entry->d_ino != record.inode || (entry->d_type != DT_REG && entry->d_type != DT_UNKNOWN)) continue;
    const std::string name = parent + "/" + entry->d_name;
    fd = UniqueFd(::open(name.c_str(), kCutFlags | O_NOFOLLOW));
    if (!fd.valid()) return errno_error("open " + name);
    auto cut = cut_if_same(fd.get(), name, record, cut_bytes);
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
