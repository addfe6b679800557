#include "expression/text_test.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace logflume {
namespace {

template <typename T>
T load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// A text of sizeof(T) to twice as many bytes, compared by two loads that overlap.
template <typename T>
class Ends {
 public:
  explicit Ends(std::string_view text)
      : back_(text.size() - sizeof(T)), first_(load<T>(text.data())), last_(load<T>(text.data() + back_)) {}
  // REQUIRES: so many bytes.
  bool operator()(const char* at) const {
    return ((load<T>(at) ^ first_) | (load<T>(at + back_) ^ last_)) == 0;
  }

 private:
  std::size_t back_;
  T first_;
  T last_;
};

// What is compared when the size of a text says nothing against it. No branch depends on the texts: what they
// are is hard to foretell.
template <TextRelation kRelation, typename Same>
void compare_each(const DenseColumn& column, const Rows& rows, std::size_t bytes, const Same& same,
                  Truth* out) {
  static constexpr std::array<char, 16> kNone{};
  rows.each([&](std::uint32_t i, std::uint32_t row) {
    const std::string_view text = column.text(row);
    const bool fits = kRelation == TextRelation::kEquals ? text.size() == bytes : text.size() >= bytes;
    const std::size_t skipped = kRelation == TextRelation::kEndsWith && fits ? text.size() - bytes : 0;
    const char* const at = fits ? text.data() + skipped : kNone.data();
    out[i] = static_cast<Truth>(fits & same(at));
  });
}

bool contains(std::string_view text, std::string_view wanted) {
  return wanted.empty() || ::memmem(text.data(), text.size(), wanted.data(), wanted.size()) != nullptr;
}

// Looks for the first and the last byte of a text at sixteen places at once: for most texts that is all.
class Finder {
 public:
  // REQUIRES: `wanted` is not empty, and stays.
  explicit Finder(std::string_view wanted)
      : wanted_(wanted),
        inside_(wanted.substr(1, std::max<std::size_t>(wanted.size(), 2) - 2)),
        first_(Bytes{} + static_cast<unsigned char>(wanted.front())),
        last_(Bytes{} + static_cast<unsigned char>(wanted.back())) {}

  // REQUIRES: sizeof(Bytes) bytes behind `text` may be read.
  bool is_in(std::string_view text) const {
    if (text.size() < wanted_.size()) return false;
    const std::size_t places = text.size() - wanted_.size() + 1;
    std::size_t misses = 0;
    for (std::size_t at = 0; at < places; at += sizeof(Bytes)) {
      const auto hits =
          reinterpret_cast<Bytes>((load<Bytes>(text.data() + at) == first_) &
                                  (load<Bytes>(text.data() + at + wanted_.size() - 1) == last_));
      auto halves = std::bit_cast<std::array<std::uint64_t, 2>>(hits);
      if ((halves[0] | halves[1]) == 0) continue;
      for (std::size_t half = 0; half < halves.size(); ++half) {
        while (halves[half] != 0) {
          const auto lane = static_cast<std::size_t>(std::countr_zero(halves[half])) / 8;
          halves[half] &= ~(std::uint64_t{0xFF} << lane * 8);
          const std::size_t place = at + half * 8 + lane;
          if (place >= places) return false;
          if (std::memcmp(text.data() + place + 1, inside_.data(), inside_.size()) == 0) return true;
          ++misses;
        }
      }
      // A text that is made for it would be compared at each place.
      if (misses > kMissesMax) return contains(text.substr(at), wanted_);
    }
    return false;
  }

 private:
  using Bytes [[gnu::vector_size(16)]] = unsigned char;
  static_assert(std::endian::native == std::endian::little);
  static constexpr std::size_t kMissesMax = 32;

  const std::string_view wanted_;
  const std::string_view inside_;  // between its first and its last byte
  const Bytes first_;
  const Bytes last_;
};

}  // namespace

bool TextTest::holds(std::string_view text) const {
  switch (relation_) {
    case TextRelation::kEquals:
      return text == wanted_;
    case TextRelation::kStartsWith:
      return text.starts_with(wanted_);
    case TextRelation::kEndsWith:
      return text.ends_with(wanted_);
    case TextRelation::kContains:
      return contains(text, wanted_);
  }
  return false;
}

void TextTest::ask(const DenseColumn& column, const Rows& rows, Truth* out) const {
  switch (relation_) {
    case TextRelation::kEquals:
      return compare<TextRelation::kEquals>(column, rows, out);
    case TextRelation::kStartsWith:
      return compare<TextRelation::kStartsWith>(column, rows, out);
    case TextRelation::kEndsWith:
      return compare<TextRelation::kEndsWith>(column, rows, out);
    case TextRelation::kContains:
      return find(column, rows, out);
  }
}

template <TextRelation kRelation>
void TextTest::compare(const DenseColumn& column, const Rows& rows, Truth* out) const {
  const std::size_t bytes = wanted_.size();
  const auto with = [&](const auto& same) { compare_each<kRelation>(column, rows, bytes, same, out); };
  if (bytes == 0) return with([](const char* /*at*/) { return true; });
  if (bytes < 2) return with(Ends<std::uint8_t>(wanted_));
  if (bytes < 4) return with(Ends<std::uint16_t>(wanted_));
  if (bytes < 8) return with(Ends<std::uint32_t>(wanted_));
  if (bytes <= 16) return with(Ends<std::uint64_t>(wanted_));
  for (std::uint32_t i = 0; i < rows.count; ++i) out[i] = holds(column.text(rows[i])) ? kTrue : kFalse;
}

void TextTest::find(const DenseColumn& column, const Rows& rows, Truth* out) const {
  if (wanted_.empty()) {
    std::fill_n(out, rows.count, kTrue);
    return;
  }
  const Finder finder(wanted_);
  for (std::uint32_t i = 0; i < rows.count; ++i) out[i] = finder.is_in(column.text(rows[i])) ? kTrue : kFalse;
}

}  // namespace logflume
