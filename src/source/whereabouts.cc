#include "source/whereabouts.h"

#include <dirent.h>
#include <fcntl.h>

#include <memory>

#include "source/path_status.h"

namespace logflume {
namespace {

constexpr std::size_t kListsMax = 64;
constexpr std::size_t kNamesMax = 200'000;

struct CloseDirectory {
  void operator()(DIR* stream) const { ::closedir(stream); }
};

}  // namespace

std::optional<std::string> Whereabouts::find(const std::string& directory, FileKey key) {
  if (directory != directory_) list_around(directory);
  const auto [begin, end] = paths_.equal_range(key.inode);
  for (auto at = begin; at != end; ++at) {
    PathStatus status;
    if (stat_path(AT_FDCWD, at->second.c_str(), true, status) != 0 || !status.is_file()) continue;
    if (status.device == key.device && status.inode == key.inode) return at->second;
  }
  return std::nullopt;
}

void Whereabouts::forget() {
  if (!directory_) return;
  directory_.reset();
  paths_ = {};
}

void Whereabouts::list_around(const std::string& directory) {
  directory_ = directory;
  paths_.clear();
  lists_left_ = kListsMax;
  PathStatus status;
  if (stat_path(AT_FDCWD, directory.empty() ? "/" : directory.c_str(), true, status) != 0) return;
  device_ = status.device;
  for (const std::string& below : list(directory)) (void)list(below);
  if (directory.empty()) return;
  for (const std::string& beside : list(directory.substr(0, directory.rfind('/')))) {
    if (beside != directory) (void)list(beside);
  }
}

// Adds the files of `directory`; returns the directories in it that are on the same file system.
std::vector<std::string> Whereabouts::list(const std::string& directory) {
  std::vector<std::string> below;
  if (lists_left_ == 0) return below;
  --lists_left_;
  const std::unique_ptr<DIR, CloseDirectory> stream(::opendir(directory.empty() ? "/" : directory.c_str()));
  if (!stream) return below;
  while (const dirent* item = ::readdir(stream.get())) {
    const std::string_view name = item->d_name;
    if (name == "." || name == ".." || paths_.size() >= kNamesMax) continue;
    std::string path = directory + "/" + item->d_name;
    if (item->d_type == DT_REG || item->d_type == DT_UNKNOWN) {
      paths_.emplace(item->d_ino, std::move(path));
    } else if (item->d_type == DT_DIR && below.size() < kListsMax) {
      PathStatus status;
      const bool is_there = stat_path(::dirfd(stream.get()), item->d_name, false, status) == 0;
      if (is_there && status.is_directory() && status.device == device_) below.push_back(std::move(path));
    }
  }
  return below;
}

}  // namespace logflume
