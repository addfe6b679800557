// Each way of reading, writing and copying does its work: short, the figures do not matter here.
#include "lab/io_ways.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "base/temp_dir_for_test.h"
#include "lab/copy_job.h"
#include "lab/io_job.h"
#include "lab/log_files.h"
#include "lab/write_job.h"

namespace logflume {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kBlock = 64 * 1024;
constexpr std::uint64_t kBytes = 1024 * 1024;

// Not allowed on this machine, or in this container.
bool is_refused(const Error& error) {
  return error.os_errno == EPERM || error.os_errno == ENOSYS || error.os_errno == ENOMEM ||
         error.code == Errc::kUnsupported;
}

struct Fixture {
  explicit Fixture(std::size_t count)
      : files(std::move(*LogFiles::make(directory.path(), "f", count, kBytes, {}))),
        buffers(std::move(*IoBuffers::make(kBlock, 16 * kBlock))) {
    job.fds = files.fds();
    job.file_bytes = files.file_bytes();
    job.block_bytes = kBlock;
    job.time = 10s;
    job.buffers = buffers.get();
  }

  TempDir directory;
  LogFiles files;
  std::unique_ptr<IoBuffers> buffers;
  IoJob job;
};

TEST(IoCursor, RandomReadsTakeEachBlockOnce) {
  Fixture fixture(2);
  fixture.job.random = true;
  fixture.job.block_bytes = 4096;
  IoCursor cursor(fixture.job);
  std::set<std::pair<std::size_t, std::uint64_t>> seen;
  std::size_t ordered = 0;
  std::uint64_t last = 0;
  while (const auto place = cursor.next()) {
    EXPECT_EQ(place->offset % 4096, 0U);
    EXPECT_LT(place->offset, fixture.job.file_bytes);
    EXPECT_TRUE(seen.emplace(place->file, place->offset).second);
    if (place->file == 0) {
      ordered += place->offset == last + 4096 ? 1 : 0;
      last = place->offset;
    }
  }
  EXPECT_EQ(seen.size(), kBytes / 4096);
  EXPECT_LT(ordered, 13U) << "of 128";
}

TEST(IoCursor, BeginsAgainWhereItIsToldTo) {
  Fixture fixture(1);
  fixture.job.again = true;
  IoCursor cursor(fixture.job);
  for (std::uint64_t read = 0; read < 40; ++read) {
    EXPECT_EQ(cursor.next()->offset, read % (kBytes / kBlock) * kBlock);
  }
}

// The threads that glibc makes for POSIX AIO are unknown to ThreadSanitizer, which crashes on them.
bool sanitizer_knows(const IoWay& way) {
#ifdef __SANITIZE_THREAD__
  return !way.name.starts_with("POSIX AIO");
#else
  static_cast<void>(way);
  return true;
#endif
}

TEST(IoWays, EachReadsAllThereIsOnce) {
  for (const IoWay& way : io_ways()) {
    if (way.name.starts_with("epoll") || !sanitizer_knows(way)) continue;
    for (const std::size_t count : {1UL, 4UL}) {
      for (const bool random : {false, true}) {
        if (random && !way.seeks) continue;
        SCOPED_TRACE(way.name + (random ? ", random" : ", sequential"));
        Fixture fixture(count);
        fixture.job.random = random;
        fixture.job.in_flight = way.several ? static_cast<unsigned>(count) : 1;
        const Result<LabWork> work = way.run(fixture.job);
        if (!work && is_refused(work.error())) continue;
        ASSERT_TRUE(work) << work.error().text();
        EXPECT_EQ(work->bytes, kBytes);
        EXPECT_EQ(work->operations, kBytes / kBlock);
        EXPECT_EQ(work->latencies_ns.size(), work->operations);
        ASSERT_TRUE(work->usage);
        EXPECT_GT(work->usage->seconds, 0);
        EXPECT_TRUE(way.maps || work->system_calls > 0);
      }
    }
  }
}

TEST(IoWays, WhatIsReadIsWhatIsThere) {
  for (const IoWay& way : io_ways()) {
    if (way.name.starts_with("epoll") || way.name == "mmap, counted" || !sanitizer_knows(way)) continue;
    SCOPED_TRACE(way.name);
    Fixture fixture(1);
    // The last block of the file is what is left in the buffer.
    std::string wanted(kBlock, '\0');
    ASSERT_EQ(::pread(fixture.job.fds[0], wanted.data(), kBlock, kBytes - kBlock),
              static_cast<ssize_t>(kBlock));
    const Result<LabWork> work = way.run(fixture.job);
    if (!work && is_refused(work.error())) continue;
    ASSERT_TRUE(work) << work.error().text();
    EXPECT_TRUE(std::string_view(fixture.buffers->block(0, kBlock), kBlock) == wanted);
  }
}

TEST(IoWays, EachEndsWhenItsTimeIsOver) {
  for (const IoWay& way : io_ways()) {
    if (way.name.starts_with("epoll") || way.maps || !sanitizer_knows(way)) continue;
    SCOPED_TRACE(way.name);
    Fixture fixture(1);
    fixture.job.again = true;
    fixture.job.time = 5ms;
    const Result<LabWork> work = way.run(fixture.job);
    if (!work && is_refused(work.error())) continue;
    ASSERT_TRUE(work) << work.error().text();
    EXPECT_GT(work->bytes, 0U);
  }
}

TEST(IoWays, AFileThatCannotBeReadIsAnError) {
  for (const IoWay& way : io_ways()) {
    SCOPED_TRACE(way.name);
    Fixture fixture(1);
    const UniqueFd writing(::open(fixture.files.paths()[0].c_str(), O_WRONLY | O_CLOEXEC));
    fixture.job.fds = {writing.get()};
    EXPECT_FALSE(way.run(fixture.job));
  }
}

TEST(IoWays, AFileCannotBePolled) {
  Fixture fixture(1);
  const Result<LabWork> work = read_file_by_epoll(fixture.job);
  ASSERT_FALSE(work);
  EXPECT_EQ(work.error().os_errno, EPERM);
}

TEST(IoWays, StreamsAreRead) {
  for (const StreamKind kind : {StreamKind::kPipe, StreamKind::kSocket}) {
    Fixture fixture(1);
    fixture.job.time = 5ms;
    const Result<LabWork> waiting = read_stream(fixture.job, kind);
    ASSERT_TRUE(waiting) << waiting.error().text();
    EXPECT_GT(waiting->bytes, 0U);
    const Result<LabWork> polled = read_streams_by_epoll(fixture.job, kind, 4);
    ASSERT_TRUE(polled) << polled.error().text();
    EXPECT_GT(polled->bytes, 0U);
    EXPECT_GT(polled->system_calls, polled->operations);
  }
}

TEST(LogFiles, WhatStaysInMemoryCannotBeCold) {
  const TempDir directory;
  if (!directory.path().starts_with("/dev/shm")) GTEST_SKIP() << "no tmpfs here";
  LogFiles files = std::move(*LogFiles::make(directory.path(), "f", 1, kBytes, {}));
  EXPECT_TRUE(files.warm());
  const Result<void> cold = files.evict();
  ASSERT_FALSE(cold);
  EXPECT_EQ(cold.error().code, Errc::kUnsupported);
  EXPECT_THAT(cold.error().text(), HasSubstr("100 % stay in memory"));
}

TEST(LogFiles, AreLines) {
  const std::string text = log_text(1);
  EXPECT_EQ(text.size(), kBytes);
  EXPECT_EQ(text.back(), '\n');
  const auto lines = std::count(text.begin(), text.end(), '\n');
  EXPECT_GT(lines, 4000);
  EXPECT_LT(lines, 7000);
  EXPECT_NE(text, log_text(2));
}

TEST(LogFiles, AreNotMadeWhenTheUserStopsIt) {
  const TempDir directory;
  const auto files = LogFiles::make(directory.path(), "f", 1, 64 * kBytes, [] { return true; });
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Errc::kBusy);
}

class WriteWays : public ::testing::Test {
 protected:
  WriteWays() : text_(log_text(1)) {
    for (std::size_t at = 0; at < text_.size();) {
      const std::size_t end = text_.find('\n', at) + 1;
      job_.lines.push_back(std::string_view(text_).substr(at, end - at));
      at = end;
    }
    job_.path = directory_ / "lines";
    job_.bytes_max = kBytes;
    job_.time = 10s;
    job_.latencies_ns = &latencies_;
  }
  ~WriteWays() override { EXPECT_TRUE(std::filesystem::is_empty(directory_.path())); }

  TempDir directory_;
  std::string text_;
  std::vector<std::uint32_t> latencies_;
  WriteJob job_;
};

TEST_F(WriteWays, CountTheCallsThatTheyMake) {
  const Result<LabWork> each = write_each_line(job_, false);
  ASSERT_TRUE(each);
  EXPECT_EQ(each->system_calls, each->operations);
  EXPECT_GE(each->bytes, kBytes);
  const Result<LabWork> synced = write_each_line(job_, true);
  ASSERT_TRUE(synced);
  EXPECT_EQ(synced->system_calls, 2 * synced->operations);
  const Result<LabWork> buffered = write_buffered(job_, kBlock, false);
  ASSERT_TRUE(buffered);
  EXPECT_EQ(buffered->latencies_ns.size(), buffered->system_calls);
  EXPECT_LE(buffered->bytes, buffered->system_calls * kBlock);
  EXPECT_GT(buffered->bytes, buffered->system_calls * (kBlock - 1024));
  const Result<LabWork> vectors = write_vectors(job_, 128);
  ASSERT_TRUE(vectors);
  EXPECT_EQ(vectors->operations, 128 * vectors->system_calls);
}

TEST_F(WriteWays, MapsAreSyncedByPieces) {
  const Result<LabWork> mapped = write_mapped(job_, kBlock);
  ASSERT_TRUE(mapped) << mapped.error().text();
  EXPECT_GE(mapped->latencies_ns.size(), kBytes / kBlock - 2);
  EXPECT_GT(mapped->bytes, kBytes - 2 * kBlock);
}

TEST_F(WriteWays, WhereThereIsNoDirectoryTheErrorSaysSo) {
  job_.path = directory_ / "missing/lines";
  EXPECT_EQ(write_each_line(job_, false).error().code, Errc::kNotFound);
  EXPECT_EQ(write_mapped(job_, kBlock).error().code, Errc::kNotFound);
}

TEST(CopyWays, SendTheFileAndSayHowOftenItIsCopied) {
  Fixture fixture(1);
  CopyJob job;
  job.file = fixture.job.fds[0];
  job.file_bytes = kBytes;
  job.block_bytes = kBlock;
  job.time = 20ms;
  const auto copies = [](const LabWork& work) {
    for (const auto& [key, value] : work.others) {
      if (key == "copies") return value;
    }
    return -1.0;
  };
  for (const bool unix_socket : {false, true}) {
    job.unix_socket = unix_socket;
    const std::vector<std::pair<double, std::function<Result<LabWork>(const CopyJob&)>>> ways{
        {2, copy_by_read}, {1, copy_by_mmap}, {0, copy_by_sendfile}, {0, copy_by_splice}};
    for (const auto& [times, way] : ways) {
      const Result<LabWork> work = way(job);
      ASSERT_TRUE(work) << work.error().text();
      EXPECT_GT(work->bytes, 0U);
      EXPECT_GE(work->bytes, work->operations * kBytes);
      EXPECT_EQ(copies(*work), times);
    }
    for (const bool read : {false, true}) {
      const Result<LabWork> work = copy_by_zerocopy(job, read);
      if (!work) {  // Unix sockets do not know it, nor do old kernels
        EXPECT_NE(work.error().os_errno, 0);
        continue;
      }
      EXPECT_GT(work->bytes, 0U);
      EXPECT_GE(copies(*work), read ? 1 : 0);
      EXPECT_LE(copies(*work), read ? 2 : 1);
    }
  }
}

}  // namespace
}  // namespace logflume
