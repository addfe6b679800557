#include "sink/json_escape.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "sink/json_text.h"
#include "sink/naive_json.h"

namespace logflume {
namespace {

std::string escaped(std::string_view text) {
  std::string out = "before";
  append_json_escaped(text, out);
  EXPECT_TRUE(out.starts_with("before"));
  return out.substr(6);
}

// On the heap and exactly as long as the text, so that AddressSanitizer sees a read or write outside.
std::string run_kernel(JsonEscapeKernel::Progress (*kernel)(std::string_view, char*), std::string_view text,
                       std::size_t* read) {
  const auto in = std::make_unique<char[]>(text.size());
  std::copy(text.begin(), text.end(), in.get());
  const auto out =
      std::make_unique<char[]>(JsonEscapeKernel::kExpansionMax * text.size() + JsonEscapeKernel::kSlackBytes);
  const JsonEscapeKernel::Progress progress = kernel({in.get(), text.size()}, out.get());
  *read = progress.read;
  return {out.get(), progress.written};
}

// Pieces that sit at the borders of what is escaped, valid, or invalid.
std::string random_text(std::mt19937& random, std::size_t pieces) {
  static const std::vector<std::string> kPieces = {"a",
                                                   "plain text without anything ",
                                                   "\"",
                                                   "\\",
                                                   std::string(1, '\0'),
                                                   "\x1f",
                                                   " ",
                                                   "\x7f",
                                                   "\n",
                                                   "\r",
                                                   "\t",
                                                   "\b",
                                                   "\f",
                                                   "\x80",
                                                   "\xbf",
                                                   "\xc0",
                                                   "\xc1",
                                                   "\xc2",
                                                   "\xc3\xa9",
                                                   "\xdf\xbf",
                                                   "\xe0\xa0\x80",
                                                   "\xe0\x9f\xbf",
                                                   "\xe2\x82",
                                                   "\xe2\x82\xac",
                                                   "\xed\x9f\xbf",
                                                   "\xed\xa0\x80",
                                                   "\xef\xbf\xbd",
                                                   "\xf0\x90\x80\x80",
                                                   "\xf0\x8f\xbf\xbf",
                                                   "\xf0\x9f\x98",
                                                   "\xf0\x9f\x98\x80",
                                                   "\xf4\x8f\xbf\xbf",
                                                   "\xf4\x90\x80\x80",
                                                   "\xf5",
                                                   "\xff"};
  std::string text;
  for (std::size_t i = 0; i < pieces; ++i)
    text += random() % 3 == 0 ? kPieces[random() % kPieces.size()] : "x";
  return text;
}

TEST(JsonEscapeTest, EscapesWhatJsonAsksForAndNothingElse) {
  EXPECT_EQ(escaped(""), "");
  EXPECT_EQ(escaped("GET / HTTP/1.1"), "GET / HTTP/1.1");
  EXPECT_EQ(escaped(R"(say "hi" \o/)"), R"(say \"hi\" \\o/)");
  EXPECT_EQ(escaped("\b\f\n\r\t"), R"(\b\f\n\r\t)");
  EXPECT_EQ(escaped(std::string_view("\0\x01\x1f\x7f", 4)), "\\u0000\\u0001\\u001f\x7f");
}

TEST(JsonEscapeTest, ValidUtf8PassesUntouched) {
  const std::string text = "caf\u00e9 \u0441\u043b\u0443\u0436\u0431\u0430 \u20ac \U0001f600 \U0010ffff";
  EXPECT_EQ(escaped(text), text);
}

// The examples of Unicode 15, section 3.9 (tables 3-8 to 3-11).
TEST(JsonEscapeTest, EachMaximalIllFormedSubpartBecomesOneReplacementCharacter) {
  EXPECT_EQ(escaped("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(escaped("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"),
            "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA");
  EXPECT_EQ(escaped("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFDA\uFFFD\uFFFDB");
  EXPECT_EQ(escaped("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), "\uFFFD\uFFFD\uFFFD\uFFFDA");
}

TEST(JsonEscapeTest, ASequenceCutByTheEndIsReplacedOnce) {
  EXPECT_EQ(escaped("a\xF0\x9F\x98"), "a\uFFFD");
  EXPECT_EQ(escaped("a\xE2"), "a\uFFFD");
  EXPECT_EQ(escaped("a\xE2\""), "a\uFFFD\\\"");
}

TEST(JsonEscapeTest, AgreesWithTheNaiveDecoderOnRandomText) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    const std::string text = random_text(random, random() % 100);
    ASSERT_EQ(escaped(text), naive::escaped(text)) << round;
  }
  for (int round = 0; round < 100; ++round) {  // beyond the size of a chunk
    const std::string text = random_text(random, 500 + random() % 3000);
    ASSERT_EQ(escaped(text), naive::escaped(text)) << round;
  }
}

TEST(JsonEscapeTest, KernelsAgreeOnEverySizeAndStayInsideTheirBuffers) {
  std::mt19937 random(2);
  for (std::size_t size = 0; size <= 200; ++size) {
    for (int round = 0; round < 20; ++round) {
      std::string text = random_text(random, size).substr(0, size);
      if (round == 0) text.assign(size, '\0');  // the largest expansion
      if (round == 1) text.assign(size, 'x');
      for (const JsonEscapeKernel& kernel : json_escape_kernels()) {
        if (!kernel.supported) continue;
        std::size_t read = 0;
        std::string expected;
        for (const char c : text)
          expected += static_cast<unsigned char>(c) < 0x80 ? naive::escaped({&c, 1}) : std::string(1, c);
        ASSERT_EQ(run_kernel(kernel.escape_all, text, &read), expected) << kernel.name << " " << size;
        ASSERT_EQ(read, size) << kernel.name;

        const auto high = std::find_if(text.begin(), text.end(),
                                       [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
        const std::string ascii(text.begin(), high);
        ASSERT_EQ(run_kernel(kernel.escape_ascii, text, &read), naive::escaped(ascii))
            << kernel.name << " " << size;
        ASSERT_EQ(read, ascii.size()) << kernel.name;
      }
    }
  }
}

}  // namespace
}  // namespace logflume
