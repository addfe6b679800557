#include "redact/prefilter.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "redact/rules.h"

namespace logflume::redact {
namespace {

std::string random_text(std::mt19937& random, std::size_t bytes) {
  static constexpr std::string_view kUsual = "0123456789.:@- etokpasw\"=\n\xC3\x80";
  std::string text(bytes, ' ');
  for (char& c : text) c = random() % 8 == 0 ? static_cast<char>(random()) : kUsual[random() % kUsual.size()];
  return text;
}

TEST(Prefilter, KernelsAgree) {
  std::mt19937 random(1);
  for (int round = 0; round < 500; ++round) {
    const std::size_t blocks = 1 + random() % kBlocksMax;
    const std::string text = random_text(random, blocks * kBlockBytes + 3);
    ByteMasks expected{};
    NumberMasks expected_numbers{};
    prefilter_kernels().back().classify(text.data(), blocks, expected, 1);
    prefilter_kernels().back().combine(expected, blocks, expected_numbers);
    for (const PrefilterKernel& kernel : prefilter_kernels()) {
      if (!kernel.supported) continue;
      ByteMasks masks{};
      NumberMasks numbers{};
      kernel.classify(text.data(), blocks, masks, 1);
      ASSERT_EQ(std::memcmp(&masks, &expected, sizeof masks), 0) << kernel.name;
      kernel.combine(masks, blocks, numbers);
      ASSERT_EQ(std::memcmp(&numbers, &expected_numbers, sizeof numbers), 0) << kernel.name;
    }
  }
}

struct Place {
  std::size_t at;
  char what;
  bool operator==(const Place&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Place& place) { return out << place.what << place.at; }

std::vector<Place> scanned(std::string_view text, const PrefilterKernel& kernel) {
  std::vector<Place> places;
  CandidateScan scan(text, kernel);
  std::size_t base = 0;
  Candidates found{};
  while (scan.next(base, found)) {
    EXPECT_NE(found.at | found.ipv4 | found.ipv6 | found.card | found.word, 0u);
    for (std::size_t i = 0; i < kBlockBytes; ++i) {
      const auto note = [&](std::uint64_t bits, char what) {
        if ((bits >> i & 1) != 0) places.push_back({base + i, what});
      };
      note(found.at, '@');
      note(found.ipv4, '4');
      note(found.ipv6, '6');
      note(found.card, 'c');
      note(found.word, 'w');
    }
  }
  return places;
}

// The same, by asking each byte.
std::vector<Place> naive(std::string_view text) {
  std::vector<Place> places;
  const auto byte = [&](std::size_t at) { return at < text.size() ? text[at] : '\0'; };
  const auto digit = [&](std::size_t at) { return byte(at) >= '0' && byte(at) <= '9'; };
  const auto separator = [&](std::size_t at) {
    return byte(at) == ' ' || byte(at) == '-' || byte(at) == '.';
  };
  const auto digits = [&](std::size_t at, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      if (!digit(at + i)) return false;
    }
    return true;
  };
  const auto dot = [&](std::size_t at) { return byte(at) == '.' && at > 0 && digit(at - 1); };
  const auto colon = [&](std::size_t at) { return byte(at) == ':'; };
  const auto chain = [](auto&& self, const auto& is, std::size_t at, std::size_t distance, int more) -> bool {
    if (!is(at)) return false;
    if (more == 0) return true;
    for (std::size_t next = at + 2; next <= at + distance; ++next) {
      if (self(self, is, next, distance, more - 1)) return true;
    }
    return false;
  };
  const RuleTables& tables = rule_tables();
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (byte(at) == '@') places.push_back({at, '@'});
    if (chain(chain, dot, at, 4, 2)) places.push_back({at, '4'});
    if ((colon(at) && colon(at + 1)) || chain(chain, colon, at, 5, 3)) places.push_back({at, '6'});
    const bool first = digit(at) && (at == 0 || !digit(at - 1));
    if (first && (digits(at, 13) || (digits(at, 4) && separator(at + 4) && digits(at + 5, 4))))
      places.push_back({at, 'c'});
    unsigned buckets = 255;
    for (std::size_t i = 0; i < RuleTables::kBytes; ++i)
      buckets &= tables.whole[i][static_cast<unsigned char>(byte(at + i))];
    if (buckets != 0) places.push_back({at, 'w'});
  }
  return places;
}

TEST(Prefilter, FindsPlacesAcrossBlocksAndReadsNothingElse) {
  std::mt19937 random(2);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t bytes = round < 300 ? static_cast<std::size_t>(round) : random() % 9000;
    std::string made = random_text(random, bytes);
    // So dense that places lie across the ends of the parts that are classified at a time, too.
    if (round % 4 == 0) {
      for (std::size_t i = 0; i < bytes; ++i) made[i] = "1.23.45.6:7::8 4111-11114 "[i % (20 + random() % 2)];
    }
    // Exactly as long as needed, so that AddressSanitizer sees a byte too many.
    const auto exact = std::make_unique<char[]>(bytes + 1);
    std::memcpy(exact.get() + 1, made.data(), bytes);
    const std::string_view text(exact.get() + 1, bytes);
    const std::vector<Place> expected = naive(text);
    for (const PrefilterKernel& kernel : prefilter_kernels()) {
      if (kernel.supported) {
        ASSERT_EQ(scanned(text, kernel), expected) << kernel.name << ", " << bytes;
      }
    }
  }
}

TEST(Prefilter, KnowsTheWordsOfAllRules) {
  for (const Rule& rule : rules()) {
    for (std::size_t i = 0; i < rule.fingerprint.size(); ++i) {
      ASSERT_FALSE(rule.fingerprint[i].empty());
      for (const char c : rule.fingerprint[i])
        EXPECT_NE(rule_tables().whole[i][static_cast<unsigned char>(c)] >> rule.bucket & 1, 0)
            << rule.text << c;
      // It is a part of the word where the word has that place.
      const std::size_t place = rule.offset + i;
      if (place < rule.text.size() && rule.text[place] != '?') {
        EXPECT_EQ(rule.fingerprint[i], rule.text.substr(place, 1)) << rule.text;
      }
    }
  }
}

}  // namespace
}  // namespace logflume::redact
