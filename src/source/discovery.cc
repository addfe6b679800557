#include "source/discovery.h"

#include <sched.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <unordered_map>

#include "source/directory_tree.h"
#include "source/path_status.h"
#include "source/watch_table.h"

namespace logflume {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
// Of one poll(), more than the kernel's queue holds by default (16,384 events of at most 272 bytes): a storm
// beyond that must not keep the caller from its other work.
constexpr int kReadsMax = 128;

constexpr std::uint32_t kContentMask = IN_MODIFY | IN_ATTRIB;
constexpr std::uint32_t kSelfMask = IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB;
constexpr std::uint32_t kGoneMask = IN_DELETE | IN_MOVED_FROM;

}  // namespace

struct Discovery::Impl {
  Impl(DiscoveryConfig settings, std::string component, Log& log, DiscoveryListener& told)
      : config(std::move(settings)),
        listener(told),
        watches(component, log),
        tree(config, component, log, watches, told),
        buffer(kBufferBytes) {}

  std::size_t read_events();
  std::size_t handle(std::size_t bytes);
  void handle(const inotify_event& event);
  void handle_unnamed(const inotify_event& event, const Watch& watch);
  void handle_named(const inotify_event& event, const Watch& watch);
  void note_departure(const inotify_event& event, Directory& directory, std::string_view name);
  void report(Entry& entry);
  void tell_all_changed();

  const DiscoveryConfig config;
  DiscoveryListener& listener;
  WatchTable watches;
  DirectoryTree tree;
  std::vector<char> buffer;
  std::unordered_multimap<FileToken, int> followed;       // watch descriptors
  std::vector<FileToken> tokens;                          // scratch
  std::unordered_map<std::string, Departure> departures;  // of this poll, by the path that was left
  std::string moved_from;                                 // the last first half of a rename
  std::uint32_t move_cookie = 0;
  TimePoint next_rescan = TimePoint::min();
  std::uint32_t reads = 0;
  bool drained = true;  // the last read left nothing behind
  bool overflowed = false;
  bool half_renamed = false;  // the last event of a read was the first half of a rename
};

// Reads and handles one buffer; returns the number of events.
std::size_t Discovery::Impl::read_events() {
  drained = true;
  for (;;) {
    const ssize_t n = ::read(watches.fd(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    const auto bytes = static_cast<std::size_t>(n);
    drained = bytes + sizeof(inotify_event) + NAME_MAX + 1 <= buffer.size();
    return handle(bytes);
  }
}

std::size_t Discovery::Impl::handle(std::size_t bytes) {
  ++reads;
  std::size_t count = 0;
  for (std::size_t at = 0; at + sizeof(inotify_event) <= bytes; ++count) {
    // The kernel pads names so that each event is aligned, as the buffer is.
    const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
    handle(*event);
    half_renamed = (event->mask & IN_MOVED_FROM) != 0;
    at += sizeof(inotify_event) + event->len;
  }
  return count;
}

void Discovery::Impl::handle(const inotify_event& event) {
  if ((event.mask & IN_Q_OVERFLOW) != 0) {
    overflowed = true;
    return;
  }
  if ((event.mask & IN_IGNORED) != 0) {
    if (const std::optional<Watch> gone = watches.take(event.wd)) {
      tree.watch_gone(*gone);
      if (!gone->followers.empty()) {
        std::erase_if(followed, [&](const auto& item) { return item.second == event.wd; });
      }
    }
    return;
  }
  const Watch* watch = watches.find(event.wd);
  if (watch == nullptr) return;  // removed while this was under way
  if (event.len == 0) {
    handle_unnamed(event, *watch);
  } else {
    handle_named(event, *watch);
  }
}

// About the watched inode itself: a directory, or a file that is a link's target, has several names or is
// followed.
void Discovery::Impl::handle_unnamed(const inotify_event& event, const Watch& watch) {
  if ((event.mask & kSelfMask) != 0) {
    for (const DirectoryId id : watch.directories) {
      if (Directory* directory = tree.find(id)) tree.self_changed(*directory);
    }
    for (const Watch::Link& link : watch.links) tree.link_target_changed(link);
  }
  if ((event.mask & kContentMask) == 0) return;
  // Copied: the listener may follow and unfollow.
  tokens = watch.followers;
  for (const Watch::Link& link : watch.links) tokens.push_back(tree.token_of(link));
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  for (const FileToken token : tokens) {
    if (token != 0) listener.on_changed(token);
  }
}

void Discovery::Impl::handle_named(const inotify_event& event, const Watch& watch) {
  const std::string_view name(event.name, ::strnlen(event.name, event.len));
  const bool is_content = (event.mask & kContentMask) != 0 && (event.mask & IN_ISDIR) == 0;
  for (const DirectoryId id : watch.directories) {
    Directory* directory = tree.find(id);
    if (directory == nullptr) continue;
    if (!is_content) {
      note_departure(event, *directory, name);
      tree.name_changed(*directory, name, (event.mask & kGoneMask) != 0);
      continue;
    }
    const auto found = directory->names.find(name);
    if (found != directory->names.end() && found->second.kind == Entry::Kind::kFile) report(found->second);
  }
}

// The first one counts: later ones are of another file that got the name meanwhile.
void Discovery::Impl::note_departure(const inotify_event& event, Directory& directory,
                                     std::string_view name) {
  if ((event.mask & IN_MOVED_TO) != 0 && event.cookie == move_cookie) {
    if (const auto left = departures.find(moved_from); left != departures.end() && left->second.to.empty())
      left->second.to = tree.path_of(directory, name);
    move_cookie = 0;
  }
  if ((event.mask & kGoneMask) == 0) return;
  const auto found = directory.names.find(name);
  if (found == directory.names.end() || found->second.kind != Entry::Kind::kFile || found->second.is_link)
    return;
  using How = Departure::How;
  const bool moved = (event.mask & IN_MOVED_FROM) != 0;
  const auto [at, is_first] = departures.try_emplace(tree.path_of(directory, name));
  if (!is_first) return;
  at->second.how = moved ? How::kMoved : How::kDeleted;
  if (!moved) return;
  moved_from = at->first;
  move_cookie = event.cookie;
}

void Discovery::Impl::report(Entry& entry) {
  if (entry.dirty) {
    entry.modified = true;  // whose change it is shows when the name has been looked at
  } else if (entry.token != 0 && entry.reported != reads) {
    // All events of one read happened before this call: once is enough.
    entry.reported = reads;
    listener.on_changed(entry.token);
  }
}

void Discovery::Impl::tell_all_changed() {
  tokens.clear();
  tree.for_each_token([&](FileToken token) { tokens.push_back(token); });
  for (const auto& [token, wd] : followed) tokens.push_back(token);
  for (const FileToken token : tokens) listener.on_changed(token);
}

Discovery::Discovery(DiscoveryConfig config, std::string component, Log& log, DiscoveryListener& listener)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(component), log, listener)) {}

Discovery::~Discovery() = default;

void Discovery::open() {
  impl_->tree.open();
  impl_->next_rescan = steady_now() + impl_->config.rescan_interval;
}

int Discovery::fd() const { return impl_->watches.fd(); }

bool Discovery::has_news() const {
  int bytes = 0;
  return !impl_->drained || (fd() >= 0 && ::ioctl(fd(), FIONREAD, &bytes) == 0 && bytes > 0);
}

std::size_t Discovery::poll() {
  if (fd() < 0) return 0;
  std::size_t count = 0;
  for (int i = 0; i < kReadsMax; ++i) {
    count += impl_->read_events();
    if (!impl_->drained) continue;
    // The kernel queues the two halves of a rename one right behind the other, but the reader may come in
    // between. Told apart they would still be true (lost, then found), only less useful.
    if (!std::exchange(impl_->half_renamed, false)) break;
    ::sched_yield();
  }
  if (std::exchange(impl_->overflowed, false)) {
    impl_->tree.rescan(true);
    impl_->next_rescan = steady_now() + impl_->config.rescan_interval;
    impl_->tell_all_changed();
  } else if (count > 0) {
    impl_->tree.settle();
  }
  impl_->departures.clear();
  return count;
}

// A caller that waits for edges of fd() hears of nothing new while events are left: it comes back at once.
TimePoint Discovery::next_rescan() const { return impl_->drained ? impl_->next_rescan : TimePoint::min(); }

void Discovery::rescan(TimePoint now) {
  if (!impl_->drained) poll();
  impl_->next_rescan = now + impl_->config.rescan_interval;
  impl_->tree.rescan(false);
}

bool Discovery::follow(int fd, FileToken token) {
  if (token == 0 || file_system_of(fd) == FileSystemKind::kRemote) return false;
  const int wd = impl_->watches.add(fd, kContentMask, {});
  if (wd < 0) return false;
  std::vector<FileToken>& followers = impl_->watches.find(wd)->followers;
  if (std::find(followers.begin(), followers.end(), token) == followers.end()) {
    followers.push_back(token);
    impl_->followed.emplace(token, wd);
  }
  return true;
}

void Discovery::unfollow(FileToken token) {
  const auto [begin, end] = impl_->followed.equal_range(token);
  for (auto at = begin; at != end; ++at) {
    if (Watch* watch = impl_->watches.find(at->second)) std::erase(watch->followers, token);
    impl_->watches.maybe_unused(at->second);
  }
  impl_->followed.erase(begin, end);
  impl_->watches.release_unused();
}

Discovery::Departure Discovery::departure_of(const std::string& path) const {
  const auto found = impl_->departures.find(path);
  return found == impl_->departures.end() ? Departure{} : found->second;
}

std::uint64_t Discovery::watched_directories() const { return impl_->tree.watched_directories(); }
std::uint64_t Discovery::polled_directories() const { return impl_->tree.polled_directories(); }
std::uint64_t Discovery::known_names() const { return impl_->tree.known_names(); }

std::uint64_t Discovery::waiting_names() const { return impl_->tree.waiting_names(); }

}  // namespace logflume
