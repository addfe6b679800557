#include "base/allocator.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

namespace logflume {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kOwnAllocator = false;
#elif defined(__has_feature)  // clang
constexpr bool kOwnAllocator = !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer);
#else
constexpr bool kOwnAllocator = true;
#endif

constexpr std::size_t kBlockBytes = 64 * 1024 * 1024;

std::size_t address_space_bytes() {
  std::size_t pages = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%zu", &pages) != 1) return 0;
  std::fclose(file);
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Goal: who finds no memory waits for it and is counted. Method: in a process of its own, whose address space
// is limited until another thread gives it back.
int wait_for_address_space() {
  tune_allocator();
  const rlimit tight{address_space_bytes() + kBlockBytes / 2, RLIM_INFINITY};
  std::atomic<bool> got{false};
  std::thread relief([&got] {
    while (memory_refusals() == 0 && !got.load()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const rlimit wide{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_AS, &wide);
  });
  if (::setrlimit(RLIMIT_AS, &tight) != 0) return 2;
  const auto block = std::make_unique<char[]>(kBlockBytes);
  got.store(true);
  relief.join();
  return block != nullptr && memory_refusals() > 0 ? 0 : 1;
}

TEST(AllocatorTest, WhoFindsNoMemoryWaitsForIt) {
  if (!kOwnAllocator) GTEST_SKIP() << "a sanitizer has an allocator of its own";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(wait_for_address_space());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace logflume
