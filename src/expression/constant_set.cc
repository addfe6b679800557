#include "expression/constant_set.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

namespace logflume {
namespace {

using Tag = Value::Tag;

// As long as the texts are so few, each of them is asked for.
constexpr std::size_t kFewTexts = 4;

std::uint64_t load(const char* at, std::size_t bytes) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, bytes);
  return value;
}

// A double that is a whole number, as one. None: it equals no int.
std::optional<std::int64_t> whole_number(double real) {
  constexpr double kBeyond = 9223372036854775808.0;  // 2^63
  if (!(real >= -kBeyond && real < kBeyond) || std::floor(real) != real) return std::nullopt;
  return static_cast<std::int64_t>(real);
}

}  // namespace

// -- TextSet ------------------------------------------------------------------------------------------------

TextSet::TextSet(std::vector<std::string_view> texts)
    : places_(std::bit_ceil(std::max<std::size_t>(texts.size() * 2, 2))) {
  for (const std::string_view text : texts) {
    if (has(text)) continue;
    const Key key = key_of(text);
    std::size_t place = place_of(key);
    while (places_[place].text != nullptr) place = (place + 1) & (places_.size() - 1);
    places_[place] = {key, text.data()};
  }
}

TextSet::Key TextSet::key_of(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  if (text.size() > 16) return {::XXH3_64bits(begin, text.size()), load(end - 8, 8), text.size()};
  if (text.size() >= 8) return {load(begin, 8), load(end - 8, 8), text.size()};
  if (text.size() >= 4) return {load(begin, 4), load(end - 4, 4), text.size()};
  if (text.empty()) return {};
  return {load(begin, 1) | load(begin + text.size() / 2, 1) << 8, load(end - 1, 1), text.size()};
}

std::size_t TextSet::place_of(const Key& key) const {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;
  const std::uint64_t mixed = (key.first ^ std::rotl(key.last * kOdd, 29) ^ key.bytes) * kOdd;
  return static_cast<std::size_t>(mixed >> 32) & (places_.size() - 1);
}

bool TextSet::has(std::string_view text) const {
  const Key key = key_of(text);
  for (std::size_t place = place_of(key);; place = (place + 1) & (places_.size() - 1)) {
    const Place& found = places_[place];
    if (found.text == nullptr) return false;
    if (found.key == key && (text.size() <= 16 || std::memcmp(found.text, text.data(), text.size()) == 0))
      return true;
  }
}

// -- IntSet -------------------------------------------------------------------------------------------------

IntSet::IntSet(std::vector<std::int64_t> numbers) : numbers_(std::move(numbers)) {
  if (numbers_.empty()) {
    bits_.push_back(0);
    return;
  }
  std::ranges::sort(numbers_);
  least_ = static_cast<std::uint64_t>(numbers_.front());
  span_ = static_cast<std::uint64_t>(numbers_.back()) - least_;
  if (span_ >= kBitsMax) return;
  bits_.resize(span_ / 64 + 1);
  for (const std::int64_t number : numbers_) {
    const std::uint64_t bit = static_cast<std::uint64_t>(number) - least_;
    bits_[bit / 64] |= std::uint64_t{1} << bit % 64;
  }
}

bool IntSet::has(std::int64_t number) const {
  if (bits_.empty()) return std::ranges::binary_search(numbers_, number);
  const std::uint64_t bit = static_cast<std::uint64_t>(number) - least_;
  const bool within = bit <= span_;
  return (bits_[within ? bit / 64 : 0] >> bit % 64 & (within ? 1 : 0)) != 0;
}

// -- ConstantSet --------------------------------------------------------------------------------------------

ConstantSet::Sorted ConstantSet::sort(std::span<const Value> items) {
  Sorted sorted;
  for (const Value& item : items) {
    if (item.is(Tag::kString)) {
      sorted.texts.push_back(item.text());
    } else if (item.is(Tag::kInt)) {
      sorted.integers.push_back(item.integer);
    } else if (item.is(Tag::kDouble)) {
      if (const auto whole = whole_number(item.real)) {
        sorted.integers.push_back(*whole);
      } else {
        sorted.reals.push_back(item.real);
      }
    } else {
      sorted.others.push_back(item);
    }
  }
  return sorted;
}

ConstantSet::ConstantSet(std::span<const Value> items) : ConstantSet(sort(items)) {}

ConstantSet::ConstantSet(Sorted items)
    : texts_(items.texts),
      integers_(std::move(items.integers)),
      reals_(std::move(items.reals)),
      others_(std::move(items.others)) {
  if (items.texts.size() > kFewTexts) return;
  for (const std::string_view text : items.texts)
    few_texts_.emplace_back(TextRelation::kEquals, std::string(text));
}

Truth ConstantSet::has(const Value& value) const {
  const Value known = plain(value);
  const auto answer = [](bool yes) { return yes ? kTrue : kFalse; };
  if (known.is(Tag::kString)) return answer(texts_.has(known.text()));
  if (known.is(Tag::kInt)) return answer(integers_.has(known.integer));
  if (known.is(Tag::kDouble)) {
    const auto whole = whole_number(known.real);
    return answer(whole ? integers_.has(*whole) : std::ranges::find(reals_, known.real) != reals_.end());
  }
  Truth found = kFalse;
  for (const Value& item : others_) {
    const Truth same = truth_of(equal(value, item));
    if (same == kTrue) return kTrue;
    if (same >= kFaulty) found = same;
  }
  return found;
}

bool ConstantSet::ask(const DenseColumn& column, const Rows& rows, Truth* out) const {
  switch (column.kind) {
    case ValueKind::kString:
      ask_texts(column, rows, out);
      return true;
    case ValueKind::kInt:
      rows.each([&](std::uint32_t i, std::uint32_t row) {
        out[i] = integers_.has(column.slots[row].integer) ? kTrue : kFalse;
      });
      return true;
    case ValueKind::kNumber:
      for (std::uint32_t i = 0; i < rows.count; ++i)
        out[i] = has(Value::of(column.text(rows[i]), Tag::kNumber));
      return true;
    default:
      return false;
  }
}

void ConstantSet::ask_texts(const DenseColumn& column, const Rows& rows, Truth* out) const {
  if (few_texts_.empty()) {
    for (std::uint32_t i = 0; i < rows.count; ++i) out[i] = texts_.has(column.text(rows[i])) ? kTrue : kFalse;
    return;
  }
  few_texts_[0].ask(column, rows, out);
  std::array<Truth, Evaluation::kRowsMax> one;
  for (std::size_t text = 1; text < few_texts_.size(); ++text) {
    few_texts_[text].ask(column, rows, one.data());
    for (std::uint32_t i = 0; i < rows.count; ++i) out[i] |= one[i];
  }
}

}  // namespace logflume
