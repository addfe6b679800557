#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "io/block_reader.h"
#include "io/fault_guard.h"

namespace logflume {
namespace {

// A part of one file, mapped. It always spans a whole window: a shared map shows what the file grows by
// without being made again.
struct Window {
  int fd = -1;
  std::uint64_t offset = 0;
  const char* data = nullptr;
  std::size_t valid_bytes = 0;  // of the window, inside the file when its size was last looked at
  std::uint64_t last_used = 0;
};

class MmapReader final : public BlockReader {
 public:
  MmapReader(std::function<void(const Error&)> on_refused, std::size_t window_bytes, std::size_t windows)
      : on_refused_(std::move(on_refused)),
        page_bytes_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
        window_bytes_((std::max<std::size_t>(window_bytes, 1) + page_bytes_ - 1) / page_bytes_ * page_bytes_),
        windows_max_(std::max<std::size_t>(windows, 1)),
        pread_(make_pread_reader()) {
    windows_.reserve(windows_max_);
  }
  ~MmapReader() override {
    for (const Window& window : windows_) unmap(window);
  }

  Result<std::size_t> read(int fd, std::uint64_t offset, std::span<char> to) override;

  void forget(int fd) override {
    std::erase_if(windows_, [&](const Window& window) {
      if (window.fd != fd) return false;
      unmap(window);
      return true;
    });
    std::erase(refused_, fd);
  }

  std::string_view name() const override { return "mmap"; }

 private:
  // Finds or maps the window that holds `position`; nullptr when this file cannot be mapped.
  Window* window_at(int fd, std::uint64_t position);
  void drop(const Window* window) {
    unmap(*window);
    windows_.erase(windows_.begin() + (window - windows_.data()));
  }
  void unmap(const Window& window) const { ::munmap(const_cast<char*>(window.data), window_bytes_); }
  // Reads by pread, unless all has been read.
  Result<std::size_t> finish(int fd, std::uint64_t offset, std::span<char> to, std::size_t done) {
    if (done == to.size()) return done;
    Result<std::size_t> rest = pread_->read(fd, offset + done, to.subspan(done));
    if (!rest) return rest;
    return done + *rest;
  }

  std::function<void(const Error&)> on_refused_;  // empty once it was called
  const std::size_t page_bytes_;
  const std::size_t window_bytes_;
  const std::size_t windows_max_;
  std::unique_ptr<BlockReader> pread_;
  std::vector<Window> windows_;
  std::vector<int> refused_;  // files that cannot be mapped
  std::uint64_t clock_ = 0;
};

Window* MmapReader::window_at(int fd, std::uint64_t position) {
  const std::uint64_t offset = position / window_bytes_ * window_bytes_;
  for (Window& window : windows_) {
    if (window.fd == fd && window.offset == offset) {
      window.last_used = ++clock_;
      return &window;
    }
  }
  void* data = ::mmap(nullptr, window_bytes_, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (data == MAP_FAILED && errno == ENOMEM && !windows_.empty()) {
    for (const Window& window : windows_) unmap(window);
    windows_.clear();
    data = ::mmap(nullptr, window_bytes_, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(offset));
  }
  if (data == MAP_FAILED) {
    // ENODEV: this file system has no maps. EACCES: a policy. ENOMEM: too many maps; it may pass, but
    // pread reads the same bytes.
    const Error why = errno_error("map a file");
    refused_.push_back(fd);
    if (const auto on_refused = std::exchange(on_refused_, nullptr)) on_refused(why);
    return nullptr;
  }
  ::madvise(data, window_bytes_, MADV_SEQUENTIAL);
  if (windows_.size() == windows_max_) {
    drop(&*std::min_element(windows_.begin(), windows_.end(),
                            [](const Window& a, const Window& b) { return a.last_used < b.last_used; }));
  }
  windows_.push_back({fd, offset, static_cast<const char*>(data), 0, ++clock_});
  return &windows_.back();
}

Result<std::size_t> MmapReader::read(int fd, std::uint64_t offset, std::span<char> to) {
  std::size_t done = 0;
  if (std::find(refused_.begin(), refused_.end(), fd) != refused_.end()) return finish(fd, offset, to, 0);
  while (done < to.size()) {
    const std::uint64_t position = offset + done;
    Window* window = window_at(fd, position);
    if (window == nullptr) return finish(fd, offset, to, done);
    const auto at = static_cast<std::size_t>(position - window->offset);
    if (at >= window->valid_bytes) {
      struct stat status;
      if (::fstat(fd, &status) != 0) return errno_error("fstat");
      const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
      if (file_bytes == 0) {
        // The files of /proc say so and have bytes all the same.
        drop(window);
        return finish(fd, offset, to, done);
      }
      window->valid_bytes =
          file_bytes <= window->offset
              ? 0
              : static_cast<std::size_t>(std::min<std::uint64_t>(file_bytes - window->offset, window_bytes_));
      if (at >= window->valid_bytes) return done;
    }
    const std::size_t size = std::min(window->valid_bytes - at, to.size() - done);
    if (!copy_from_map(to.data() + done, window->data + at, size)) {
      // Truncated, or the disk failed: pread knows which and where the file ends now.
      window->valid_bytes = 0;
      return finish(fd, offset, to, done);
    }
    // A truncation inside a page leaves zeros behind the new end instead of a fault. They reach to the end
    // of the page, so its last byte gives them away; a true zero (a hole) costs one pread.
    const char* copied = to.data() + done;
    for (std::size_t last = page_bytes_ - at % page_bytes_ - 1;; last += page_bytes_) {
      last = std::min(last, size - 1);
      if (copied[last] == '\0') {
        window->valid_bytes = 0;
        return finish(fd, offset, to, done);
      }
      if (last == size - 1) break;
    }
    done += size;
    if (at + size == window_bytes_) drop(window);  // behind the reader
  }
  return done;
}

}  // namespace

std::unique_ptr<BlockReader> make_mmap_reader(std::function<void(const Error&)> on_refused,
                                              std::size_t window_bytes, std::size_t windows) {
  return std::make_unique<MmapReader>(std::move(on_refused), window_bytes, windows);
}

}  // namespace logflume
