#include "lab/user_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <utility>

#include "base/read_at.h"
#include "base/unique_fd.h"
#include "source/archive.h"
#include "source/glob.h"

namespace logflume {
namespace {

constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kFilesSampled = 16;
constexpr std::size_t kPieceBytes =
    1024 * 1024;  // read in one go: blocks that are compressed are no larger apart

class Walk {
 public:
  explicit Walk(const GlobSet& globs) : globs_(globs) {}

  void directory(const std::string& path, const GlobSet::State& state, std::size_t depth) {
    if (found.truncated || depth > kDepthMax) return;
    if (const auto names = globs_.literals(state)) {
      for (const std::string& name : *names) entry(path, name, state, depth);
      return;
    }
    std::vector<std::string> names;
    {
      const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir((path + "/").c_str()), ::closedir);
      if (!open) {
        if (errno == EACCES) unreadable(errno_error("list " + path).text());
        return;
      }
      while (const dirent* one = ::readdir(open.get())) names.emplace_back(one->d_name);
    }
    std::ranges::sort(names);
    for (const std::string& name : names) {
      if (name != "." && name != "..") entry(path, name, state, depth);
    }
  }

  UserFiles found;

 private:
  void entry(const std::string& path, const std::string& name, const GlobSet::State& state,
             std::size_t depth) {
    const std::string here = path + "/" + name;
    struct stat status {};
    if (::stat(here.c_str(), &status) != 0) {
      if (errno == EACCES && globs_.accepts(state, name)) unreadable(errno_error("open " + here).text());
      return;
    }
    if (S_ISDIR(status.st_mode)) {
      const GlobSet::State inside = globs_.enter(state, name);
      if (!inside.empty()) directory(here, inside, depth + 1);
    } else if (S_ISREG(status.st_mode) && globs_.accepts(state, name) &&
               seen_.emplace(status.st_dev, status.st_ino).second) {
      file(here, status);
    }
  }

  void file(const std::string& path, const struct stat& status) {
    if (found.files.size() >= kUserFilesMax) {
      found.truncated = true;
    } else if (::access(path.c_str(), R_OK) != 0) {
      unreadable(errno_error("open " + path).text());
    } else if (status.st_size == 0) {
      ++found.empty;
    } else if (is_archive(path)) {
      ++found.archives;
    } else {
      found.files.push_back({.path = path,
                             .size = static_cast<std::uint64_t>(status.st_size),
                             .written_ns = static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 +
                                           status.st_mtim.tv_nsec});
    }
  }

  void unreadable(std::string why) {
    if (found.unreadable++ == 0) found.unreadable_why = std::move(why);
  }

  const GlobSet& globs_;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

// Whole lines out of [offset, offset + bytes), appended. Where there is no end of a line, all of it.
Result<void> read_lines(int fd, std::uint64_t offset, std::size_t bytes, std::string& to) {
  std::string piece(bytes, '\0');
  const Result<std::size_t> got = read_at(fd, offset, piece);
  if (!got) return got.error();
  piece.resize(*got);
  const std::size_t first = offset == 0 ? 0 : piece.find('\n') + 1;  // npos + 1 is 0
  const std::size_t end = piece.rfind('\n') + 1;
  to.append(piece, first, (end > first ? end : piece.size()) - first);
  return {};
}

}  // namespace

std::uint64_t UserFiles::bytes() const {
  std::uint64_t sum = 0;
  for (const UserFile& file : files) sum += file.size;
  return sum;
}

Result<UserFiles> find_user_files(const std::vector<std::string>& patterns, const std::string& directory) {
  GlobSet globs;
  for (const std::string& pattern : patterns) {
    if (Result<void> added = globs.add(pattern, directory); !added) return std::move(added).error();
  }
  Walk walk(globs);
  walk.directory("", globs.start(), 0);
  std::ranges::sort(walk.found.files, [](const UserFile& a, const UserFile& b) {
    return std::pair(b.written_ns, a.path) < std::pair(a.written_ns, b.path);
  });
  return std::move(walk.found);
}

Result<std::string> sample_lines(const UserFiles& files, std::size_t bytes_max) {
  const std::size_t count = std::min(files.files.size(), kFilesSampled);
  std::string text;
  std::optional<Error> error;
  for (std::size_t i = 0; i < count; ++i) {
    const UserFile& file = files.files[i];
    const UniqueFd fd(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd.valid()) {
      error = errno_error("open " + file.path);
      continue;
    }
    // An equal share of what is left for each that is left, in pieces over the whole file.
    const std::uint64_t share = std::min<std::uint64_t>((bytes_max - text.size()) / (count - i), file.size);
    const std::uint64_t pieces = std::max<std::uint64_t>(share / kPieceBytes, 1);
    for (std::uint64_t piece = 0; piece < pieces; ++piece) {
      const std::uint64_t last = file.size - share / pieces;  // where the last piece begins
      const std::uint64_t offset = pieces == 1 ? last : last * piece / (pieces - 1);
      if (Result<void> read = read_lines(fd.get(), offset, share / pieces, text); !read) {
        error = Error{read.error().code, read.error().os_errno, "read " + file.path};
        break;
      }
    }
  }
  if (text.empty() && error) return *error;
  return text;
}

}  // namespace logflume
