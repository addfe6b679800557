#include "config/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/result.h"
#include "base/unique_fd.h"

namespace logflume {
namespace {

constexpr std::size_t kFilesMax = 1000;

Result<std::string> read_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("cannot be read");
  std::string text;
  // One byte more than allowed tells "too large" from "just fits".
  while (text.size() <= kConfigFileBytesMax) {
    const std::size_t before = text.size();
    text.resize(before + std::min<std::size_t>(64 * 1024, kConfigFileBytesMax + 1 - before));
    const ssize_t count = ::read(fd.get(), text.data() + before, text.size() - before);
    if (count < 0 && errno != EINTR) return errno_error("cannot be read");
    text.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) break;
  }
  return text;
}

std::vector<std::string> list_directory(const std::string& path, Diagnostics& diagnostics) {
  std::vector<std::string> found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::filesystem::path& file = entry->path();
    const std::string name = file.filename().string();
    const std::string extension = file.extension().string();
    std::error_code ignored;
    if (name.front() == '.' || (extension != ".yaml" && extension != ".yml") ||
        !entry->is_regular_file(ignored))
      continue;
    found.push_back(file.string());
  }
  if (error) {
    diagnostics.file_error(path, fmt::format("cannot be read: {}", error.message()));
  } else if (found.empty()) {
    diagnostics.file_error(path, "the directory holds no *.yaml or *.yml");
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> read_config_files(const std::vector<std::string>& paths,
                                                                   Diagnostics& diagnostics) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    diagnostics.note_file(path);
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
      for (std::string& file : list_directory(path, diagnostics)) files.push_back(std::move(file));
    } else {
      files.push_back(path);
    }
  }
  if (files.size() > kFilesMax) {
    diagnostics.file_error(paths.front(), fmt::format("more than {} configuration files", kFilesMax));
    files.resize(kFilesMax);
  }
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string& file : files) {
    Result<std::string> text = read_file(file);
    if (text) {
      out.emplace_back(file, std::move(*text));
    } else {
      diagnostics.file_error(file, text.error().text());
    }
  }
  return out;
}

}  // namespace logflume
