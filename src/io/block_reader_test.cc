#include "io/block_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <random>
#include <thread>

#include "base/unique_fd.h"
#include "io/fault_guard.h"

namespace logflume {
namespace {

UniqueFd temporary_file() {
  std::string path = testing::TempDir() + "block_reader_XXXXXX";
  UniqueFd fd(::mkostemp(path.data(), O_CLOEXEC));
  EXPECT_TRUE(fd.valid());
  ::unlink(path.c_str());
  return fd;
}

void append(int fd, std::string_view bytes) {
  const off_t end = ::lseek(fd, 0, SEEK_END);
  ASSERT_EQ(::pwrite(fd, bytes.data(), bytes.size(), end), static_cast<ssize_t>(bytes.size()));
}

std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

class BlockReaderTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "pread") reader_ = make_pread_reader();
    // Small windows: many of them are opened, crossed and dropped.
    if (GetParam() == "mmap") reader_ = make_mmap_reader({}, 16 * 1024, 2);
    if (GetParam() == "io_uring") {
      auto made = make_io_uring_reader();
      if (!made) {
        EXPECT_EQ(made.error().code, Errc::kUnsupported);
        GTEST_SKIP() << made.error().text();
      }
      reader_ = std::move(*made);
    }
    EXPECT_EQ(reader_->name(), GetParam());
  }

  std::string read(int fd, std::uint64_t offset, std::size_t size) {
    std::string to(size, '?');
    Result<std::size_t> n = reader_->read(fd, offset, to);
    EXPECT_TRUE(n) << n.error().text();
    to.resize(n ? *n : 0);
    return to;
  }

  std::unique_ptr<BlockReader> reader_;
};

TEST_P(BlockReaderTest, ReadsEveryRangeOfAFile) {
  UniqueFd file = temporary_file();
  const std::string bytes = random_bytes(700'001, 1);
  append(file.get(), bytes);
  std::mt19937 random(2);
  for (int i = 0; i < 500; ++i) {
    const std::size_t offset = random() % (bytes.size() + 100);
    const std::size_t size = random() % (i % 2 == 0 ? 600'000 : 5'000);
    ASSERT_EQ(read(file.get(), offset, size), offset < bytes.size() ? bytes.substr(offset, size) : "");
  }
}

TEST_P(BlockReaderTest, ReadsSequentiallyToTheEnd) {
  UniqueFd file = temporary_file();
  const std::string bytes = random_bytes(1'000'003, 3);
  append(file.get(), bytes);
  std::string all;
  for (std::string part; !(part = read(file.get(), all.size(), 256 * 1024)).empty();) all += part;
  EXPECT_EQ(all, bytes);
}

TEST_P(BlockReaderTest, SeesWhatIsAppendedToAFileItKnows) {
  UniqueFd file = temporary_file();
  std::string bytes;
  for (unsigned i = 0; i < 300; ++i) {
    const std::string line = random_bytes(1 + i * 7 % 900, i) + "\n";
    append(file.get(), line);
    ASSERT_EQ(read(file.get(), bytes.size(), 64 * 1024), line);
    bytes += line;
    ASSERT_EQ(read(file.get(), bytes.size(), 64 * 1024), "");
  }
}

TEST_P(BlockReaderTest, SeesATruncationAndWhatIsWrittenAfterIt) {
  UniqueFd file = temporary_file();
  append(file.get(), random_bytes(50'000, 4));
  read(file.get(), 0, 50'000);
  ASSERT_EQ(::ftruncate(file.get(), 0), 0);
  EXPECT_EQ(read(file.get(), 0, 50'000), "");
  EXPECT_EQ(read(file.get(), 40'000, 50'000), "");
  append(file.get(), "new\n");
  EXPECT_EQ(read(file.get(), 0, 50'000), "new\n");
}

TEST_P(BlockReaderTest, ATruncationInsideAPageGivesNoZeros) {
  UniqueFd file = temporary_file();
  append(file.get(), std::string(50'000, 'x'));
  read(file.get(), 0, 50'000);
  ASSERT_EQ(::ftruncate(file.get(), 10'000), 0);
  EXPECT_EQ(read(file.get(), 0, 50'000), std::string(10'000, 'x'));
  EXPECT_EQ(read(file.get(), 10'000, 50'000), "");
}

TEST_P(BlockReaderTest, ReadsHolesAndNulBytes) {
  UniqueFd file = temporary_file();
  ASSERT_EQ(::ftruncate(file.get(), 100'000), 0);
  append(file.get(), "end");
  EXPECT_EQ(read(file.get(), 0, 200'000), std::string(100'000, '\0') + "end");
}

TEST_P(BlockReaderTest, AnEmptyFileAndAnEmptyBufferGiveNothing) {
  UniqueFd file = temporary_file();
  EXPECT_EQ(read(file.get(), 0, 4096), "");
  EXPECT_EQ(read(file.get(), 1'000'000'000'000, 4096), "");
  append(file.get(), "x");
  EXPECT_EQ(read(file.get(), 0, 0), "");
  EXPECT_EQ(read(file.get(), 0, 4096), "x");
}

TEST_P(BlockReaderTest, ReadsBeyondFourGigabytes) {
  UniqueFd file = temporary_file();
  const std::uint64_t offset = 5ULL * 1024 * 1024 * 1024 + 17;
  ASSERT_EQ(::pwrite(file.get(), "far", 3, static_cast<off_t>(offset)), 3);
  EXPECT_EQ(read(file.get(), offset, 4096), "far");
}

TEST_P(BlockReaderTest, ReadsFilesOfProc) {
  UniqueFd file(::open("/proc/self/status", O_RDONLY | O_CLOEXEC));
  if (!file.valid()) GTEST_SKIP() << "no /proc";
  EXPECT_EQ(read(file.get(), 0, 64 * 1024).substr(0, 5), "Name:");
  EXPECT_EQ(read(file.get(), 0, 64 * 1024).substr(0, 5), "Name:");
}

TEST_P(BlockReaderTest, ForgetsAClosedFile) {
  for (unsigned i = 0; i < 20; ++i) {
    UniqueFd file = temporary_file();  // most likely the same number each time
    const std::string bytes = random_bytes(30'000, i);
    append(file.get(), bytes);
    ASSERT_EQ(read(file.get(), 0, 100'000), bytes);
    reader_->forget(file.get());
  }
}

TEST_P(BlockReaderTest, SaysThatItCannotRead) {
  UniqueFd directory(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  char to[100];
  Result<std::size_t> n = reader_->read(directory.get(), 0, to);
  EXPECT_FALSE(n);
  EXPECT_FALSE(reader_->read(-1, 0, to));
}

// Goal: a file that is truncated and written again while it is read ends no process and gives no garbage.
// Method: a writer truncates to odd sizes inside pages and appends again. It writes no zeros, but the kernel
//         clears the rest of a page that it cuts, and read() itself may come upon it right then.
TEST_P(BlockReaderTest, SurvivesTruncationWhileReading) {
  UniqueFd file = temporary_file();
  const std::string bytes(200'000, 'x');
  append(file.get(), bytes);
  std::atomic<bool> stop{false};
  std::jthread writer([&] {
    std::mt19937 random(5);
    while (!stop.load(std::memory_order_relaxed)) {
      const auto size = static_cast<off_t>(random() % bytes.size());
      if (::ftruncate(file.get(), random() % 4 == 0 ? 0 : size) != 0) break;
      const off_t end = ::lseek(file.get(), 0, SEEK_END);
      if (::pwrite(file.get(), bytes.data(), bytes.size() - static_cast<std::size_t>(end), end) < 0) break;
    }
  });
  std::size_t garbage = 0;
  std::uint64_t total = 0;
  for (int i = 0; i < 2'000; ++i) {
    const std::string part = read(file.get(), static_cast<std::uint64_t>(i) * 37 % 150'000, 60'000);
    total += part.size();
    garbage += static_cast<std::size_t>(
        std::count_if(part.begin(), part.end(), [](char c) { return c != 'x' && c != '\0'; }));
  }
  stop = true;
  writer.join();
  EXPECT_GT(total, 0u);
  EXPECT_EQ(garbage, 0u);
}

INSTANTIATE_TEST_SUITE_P(All, BlockReaderTest, testing::Values("pread", "mmap", "io_uring"),
                         [](const auto& tested) { return tested.param; });

// A window larger than the address space: no file can be mapped.
TEST(MmapReaderTest, SaysOnceThatAFileIsReadWithoutAMap) {
  std::vector<std::string> told;
  const auto reader =
      make_mmap_reader([&](const Error& why) { told.push_back(why.text()); }, std::size_t{1} << 48, 2);
  const UniqueFd one = temporary_file(), two = temporary_file();
  append(one.get(), "first");
  append(two.get(), "second");
  for (const UniqueFd* file : {&one, &two, &one}) {
    std::string to(10, '?');
    const Result<std::size_t> n = reader->read(file->get(), 0, to);
    ASSERT_TRUE(n);
    EXPECT_EQ(to.substr(0, *n), file == &one ? "first" : "second");
  }
  EXPECT_EQ(told, std::vector<std::string>{"map a file: Cannot allocate memory"});
}

TEST(FaultGuardTest, SaysThatThePageIsGone) {
  UniqueFd file = temporary_file();
  append(file.get(), std::string(8192, 'x'));
  void* map = ::mmap(nullptr, 16384, PROT_READ, MAP_SHARED, file.get(), 0);
  ASSERT_NE(map, MAP_FAILED);
  const char* from = static_cast<const char*>(map);
  std::string to(16384, '?');
  EXPECT_TRUE(copy_from_map(to.data(), from, 8192));
  EXPECT_EQ(to.substr(0, 8192), std::string(8192, 'x'));
  EXPECT_FALSE(copy_from_map(to.data(), from, 16384));
  ASSERT_EQ(::ftruncate(file.get(), 0), 0);
  EXPECT_FALSE(copy_from_map(to.data(), from, 1));
  append(file.get(), "back");
  EXPECT_TRUE(copy_from_map(to.data(), from, 4));
  EXPECT_EQ(to.substr(0, 4), "back");
  ::munmap(map, 16384);
}

TEST(FaultGuardTest, WorksInManyThreadsAtOnce) {
  UniqueFd file = temporary_file();
  append(file.get(), std::string(4096, 'x'));
  void* map = ::mmap(nullptr, 8192, PROT_READ, MAP_SHARED, file.get(), 0);
  ASSERT_NE(map, MAP_FAILED);
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([map] {
      std::string to(8192, '?');
      for (int round = 0; round < 500; ++round) {
        EXPECT_TRUE(copy_from_map(to.data(), static_cast<const char*>(map), 4096));
        EXPECT_FALSE(copy_from_map(to.data(), static_cast<const char*>(map), 8192));
      }
    });
  }
  threads.clear();
  ::munmap(map, 8192);
}

TEST(FaultGuardDeathTest, LeavesOtherBusErrorsToTheDefault) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  char to[1];
  ASSERT_TRUE(copy_from_map(to, "x", 1));  // installs the handler
  EXPECT_DEATH(raise(SIGBUS), "");
  UniqueFd file = temporary_file();
  append(file.get(), "x");
  EXPECT_DEATH(
      {
        auto* map =
            static_cast<const volatile char*>(::mmap(nullptr, 8192, PROT_READ, MAP_SHARED, file.get(), 0));
        (void)map[4096];
      },
      "");
}

}  // namespace
}  // namespace logflume
