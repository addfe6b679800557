#include "event/newlines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace logflume {
namespace {

std::vector<std::uint32_t> naive_index(std::string_view text) {
  std::vector<std::uint32_t> positions;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') positions.push_back(static_cast<std::uint32_t>(i));
  }
  return positions;
}

std::size_t naive_long_line(std::string_view text, std::size_t max_bytes) {
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end - begin > max_bytes) return begin;
    begin = end + 1;
  }
  return std::string_view::npos;
}

// Every kernel that runs here, and what dispatch made of them, against the obvious loop.
void expect_all_agree(std::string_view text) {
  const std::vector<std::uint32_t> expected = naive_index(text);
  for (const NewlineKernel& kernel : newline_kernels()) {
    if (!kernel.supported) continue;
    ASSERT_EQ(kernel.count(text.data(), text.size()), expected.size()) << kernel.name;
    std::vector<std::uint32_t> positions(text.size());
    const std::size_t count = kernel.index(text.data(), text.size(), 1000, positions.data());
    positions.resize(count);
    for (std::uint32_t& position : positions) position -= 1000;
    ASSERT_EQ(positions, expected) << kernel.name;
  }
  std::vector<std::uint32_t> positions{1, 2, 3};
  index_newlines(text, positions);
  ASSERT_EQ(positions, expected);
  ASSERT_EQ(count_newlines(text), expected.size());
  ASSERT_EQ(end_of_last_line(text), expected.empty() ? 0 : expected.back() + 1);
}

// Text that ends exactly where readable memory ends: one byte too far is a crash.
class GuardedText {
 public:
  explicit GuardedText(std::size_t capacity)
      : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
        bytes_((capacity + page_ - 1) / page_ * page_),
        base_(static_cast<char*>(::mmap(nullptr, bytes_ + 2 * page_, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))) {
    ::mprotect(base_, page_, PROT_NONE);
    ::mprotect(base_ + page_ + bytes_, page_, PROT_NONE);
  }
  ~GuardedText() { ::munmap(base_, bytes_ + 2 * page_); }
  GuardedText(const GuardedText&) = delete;
  GuardedText& operator=(const GuardedText&) = delete;

  std::string_view at_end(std::string_view text) {
    char* begin = base_ + page_ + bytes_ - text.size();
    std::memcpy(begin, text.data(), text.size());
    return {begin, text.size()};
  }
  std::string_view at_start(std::string_view text) {
    std::memcpy(base_ + page_, text.data(), text.size());
    return {base_ + page_, text.size()};
  }

 private:
  std::size_t page_;
  std::size_t bytes_;
  char* base_;
};

std::string random_text(std::mt19937& random, std::size_t size, std::size_t newline_percent) {
  std::string text(size, 'x');
  for (char& c : text) {
    // Neighbours of '\n' and its value with the top bit set catch comparisons that are not exact.
    constexpr std::string_view kOthers = "\t\x0b\x8a\r a\x1a\xff";
    c = random() % 100 < newline_percent ? '\n' : kOthers[random() % kOthers.size()];
  }
  return text;
}

TEST(NewlinesTest, ThePortableKernelIsAlwaysThere) {
  EXPECT_EQ(newline_kernels().back().name, "portable");
  EXPECT_TRUE(newline_kernels().back().supported);
}

TEST(NewlinesTest, KernelsAgreeWithTheNaiveLoopOnEverySmallSizeAndNeverReadOutside) {
  std::mt19937 random(1);
  GuardedText memory(8192);
  for (std::size_t size = 0; size <= 700; ++size) {
    for (const std::size_t percent : {0u, 1u, 30u, 100u}) {
      const std::string text = random_text(random, size, percent);
      ASSERT_NO_FATAL_FAILURE(expect_all_agree(memory.at_end(text))) << size << " bytes, " << percent << " %";
      ASSERT_NO_FATAL_FAILURE(expect_all_agree(memory.at_start(text)))
          << size << " bytes, " << percent << " %";
    }
  }
}

TEST(NewlinesTest, KernelsAgreeOnLargeTextOfEveryDensityAndAlignment) {
  std::mt19937 random(2);
  for (int round = 0; round < 60; ++round) {
    const std::string text =
        random_text(random, 5000 + random() % 60'000, round % 2 == 0 ? random() % 101 : 1);
    ASSERT_NO_FATAL_FAILURE(expect_all_agree(std::string_view(text).substr(random() % 64)));
  }
}

// A counter of one byte per lane overflows after 255 matches in it.
TEST(NewlinesTest, NothingButNewlinesDoesNotOverflowTheLanes) {
  expect_all_agree(std::string(300'001, '\n'));
}

TEST(NewlinesTest, LongLineIsTheFirstOneBeyondTheLimit) {
  EXPECT_EQ(find_long_line("", 0), std::string_view::npos);
  EXPECT_EQ(find_long_line("\n\n", 0), std::string_view::npos);
  EXPECT_EQ(find_long_line("\na\n", 0), 1u);
  EXPECT_EQ(find_long_line("abc\nde\n", 3), std::string_view::npos);
  EXPECT_EQ(find_long_line("abc\nabcd\nabcde", 3), 4u);
  EXPECT_EQ(find_long_line("abc\nabcd", 3), 4u) << "an unterminated line counts";
  EXPECT_EQ(find_long_line("abc\nabc", 3), std::string_view::npos);
  EXPECT_EQ(find_long_line("abc", std::string_view::npos), std::string_view::npos);
}

TEST(NewlinesTest, LongLineAgreesWithTheNaiveLoop) {
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    const std::string text = random_text(random, random() % 200, random() % 40);
    const std::size_t max_bytes = random() % 40;
    ASSERT_EQ(find_long_line(text, max_bytes), naive_long_line(text, max_bytes)) << round;
  }
}

}  // namespace
}  // namespace logflume
