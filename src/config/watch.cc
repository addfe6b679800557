#include "config/watch.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <filesystem>

#include "config/files.h"

namespace logflume {
namespace {

constexpr Duration kQuiet = 250ms;  // whoever changes several files is let finish
constexpr Duration kPatience = 2s;  // but not for ever
constexpr Duration kWithoutInotify = 5s;
constexpr int kLinksMax = 16;

}  // namespace

ConfigWatch::ConfigWatch(std::vector<std::string> paths)
    : paths_(std::move(paths)), inotify_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  watch_all();
  seen_ = text_hash();
  next_look_ = complete_ ? kNever : steady_now() + kWithoutInotify;
}

bool ConfigWatch::drain() {
  alignas(inotify_event) char buffer[16 * 1024];
  bool any = false;
  while (inotify_.valid() && ::read(inotify_.get(), buffer, sizeof buffer) > 0) any = true;
  return any;
}

bool ConfigWatch::look(TimePoint now) {
  if (drain()) {
    changing_since_ = std::min(changing_since_, now);
    next_look_ = std::min(now + kQuiet, changing_since_ + kPatience);
  }
  if (now < next_look_) return false;
  changing_since_ = kNever;
  watch_all();  // links may lead elsewhere now; before the text is read, so that no change falls between
  next_look_ = complete_ ? kNever : now + kWithoutInotify;
  const std::uint64_t before = std::exchange(seen_, text_hash());
  return before != seen_;
}

void ConfigWatch::watch_all() {
  std::vector<int> before = std::exchange(watches_, {});
  complete_ = inotify_.valid();
  for (const std::string& path : paths_) watch_way_to(path, 0);
  for (const int watch : before) {
    if (std::find(watches_.begin(), watches_.end(), watch) == watches_.end())
      ::inotify_rm_watch(inotify_.get(), watch);
  }
  drain();
}

// The directories in which a change may make `path` another file.
void ConfigWatch::watch_way_to(const std::string& path, int depth) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path full = fs::absolute(path, error).lexically_normal();
  const auto watch = [this](const fs::path& directory) {
    const int added = inotify_.valid()
                          ? ::inotify_add_watch(inotify_.get(), directory.c_str(),
                                                IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                                    IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF)
                          : -1;
    if (added < 0) {
      complete_ = false;
    } else if (std::find(watches_.begin(), watches_.end(), added) == watches_.end()) {
      watches_.push_back(added);
    }
  };
  struct stat status {};
  const bool is_directory = ::stat(full.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  if (is_directory) watch(full);
  // Each link among the path's parts may be swapped where it stands.
  fs::path way;
  for (const fs::path& part : full) {
    const fs::path next = way.empty() ? part : way / part;
    if (depth < kLinksMax && fs::is_symlink(next, error)) {
      watch(way);
      const fs::path target = fs::read_symlink(next, error);
      if (!error) watch_way_to((way / target).string(), depth + 1);
    }
    way = next;
  }
  if (!is_directory) watch(full.parent_path());
}

std::uint64_t ConfigWatch::text_hash() const {
  Diagnostics diagnostics;
  std::uint64_t hash = 0;
  for (const auto& [name, text] : read_config_files(paths_, diagnostics)) {
    hash = XXH3_64bits_withSeed(name.data(), name.size(), hash);
    hash = XXH3_64bits_withSeed(text.data(), text.size(), hash);
  }
  // What cannot be read is another text too.
  for (const Diagnostic& problem : diagnostics.take()) {
    hash = XXH3_64bits_withSeed(problem.message.data(), problem.message.size(), hash);
  }
  return hash;
}

}  // namespace logflume
