#include "sink/json_escape.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "sink/json_text.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace logflume {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// What to do at a byte >= 0x80.
enum class High { kStop, kPass };

// How a byte looks inside a JSON string.
struct Escape {
  std::array<char, 7> text{};
  std::uint8_t bytes = 0;  // of `text`; 0: it stands for itself
};

constexpr std::array<Escape, 256> kEscapes = [] {
  std::array<Escape, 256> escapes{};
  constexpr std::string_view kHex = "0123456789abcdef";
  for (unsigned c = 0; c < 0x20; ++c) escapes[c] = {{'\\', 'u', '0', '0', kHex[c >> 4], kHex[c & 15]}, 6};
  escapes['\b'] = {{'\\', 'b'}, 2};
  escapes['\f'] = {{'\\', 'f'}, 2};
  escapes['\n'] = {{'\\', 'n'}, 2};
  escapes['\r'] = {{'\\', 'r'}, 2};
  escapes['\t'] = {{'\\', 't'}, 2};
  escapes['"'] = {{'\\', '"'}, 2};
  escapes['\\'] = {{'\\', '\\'}, 2};
  return escapes;
}();

inline char* put_escape(char c, char* out) {
  const Escape& escape = kEscapes[static_cast<unsigned char>(c)];
  std::memcpy(out, &escape, sizeof escape);  // eight bytes at once; what is too much is overwritten
  return out + escape.bytes;
}

template <High high>
JsonEscapeKernel::Progress escape_portable(std::string_view text, char* const out) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kTops = 0x8080808080808080;
  std::size_t i = 0;
  char* at = out;
  while (i < text.size()) {
    std::size_t step = std::min<std::size_t>(text.size() - i, 8);
    if (step == 8) {
      std::uint64_t word;
      std::memcpy(&word, text.data() + i, 8);
      // The top bit of each byte that is zero, or below 0x20; perhaps of one too many, never one too few.
      const auto zero = [](std::uint64_t x) { return (x - kOnes) & ~x; };
      const std::uint64_t suspect = zero(word ^ kOnes * '"') | zero(word ^ kOnes * '\\') |
                                    ((word - kOnes * 0x20) & ~word) | (high == High::kStop ? word : 0);
      if ((suspect & kTops) == 0) {
        std::memcpy(at, &word, 8);
        at += 8;
        i += 8;
        continue;
      }
    }
    for (; step != 0; --step, ++i) {
      const char c = text[i];
      if (high == High::kStop && static_cast<unsigned char>(c) >= 0x80)
        return {i, static_cast<std::size_t>(at - out)};
      if (kEscapes[static_cast<unsigned char>(c)].bytes != 0) {
        at = put_escape(c, at);
      } else {
        *at++ = c;
      }
    }
  }
  return {text.size(), static_cast<std::size_t>(at - out)};
}

#if defined(__x86_64__)

#define LOGFLUME_AVX2 [[gnu::target("avx2,bmi")]]

constexpr std::size_t kBlockBytes = 32;

LOGFLUME_AVX2 inline __m256i load_block(const char* data) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data));
}

LOGFLUME_AVX2 inline void store_block(char* to, __m256i block) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), block);
}

LOGFLUME_AVX2 inline std::uint32_t bits_of(__m256i bytes) {
  return static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes));
}

// A bit for each byte that cannot be copied as it is.
template <High high>
LOGFLUME_AVX2 inline std::uint32_t special_bytes(__m256i block) {
  const __m256i quote = _mm256_cmpeq_epi8(block, _mm256_set1_epi8('"'));
  const __m256i backslash = _mm256_cmpeq_epi8(block, _mm256_set1_epi8('\\'));
  // To a signed comparison bytes >= 0x80 are negative: below 0x20 as control characters are. Where they may
  // pass, an unsigned minimum tells the two apart.
  const __m256i below = high == High::kStop
                            ? _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), block)
                            : _mm256_cmpeq_epi8(_mm256_min_epu8(block, _mm256_set1_epi8(0x1f)), block);
  return bits_of(_mm256_or_si256(_mm256_or_si256(quote, backslash), below));
}

// Escapes the first `bytes` of the block at `data`. REQUIRES: two blocks can be read there; each bit of
// `escapes` is below `bytes`.
LOGFLUME_AVX2 inline char* put_block(const char* data, std::size_t bytes, std::uint32_t escapes, char* at) {
  std::size_t done = 0;
  for (; escapes != 0; escapes = _blsr_u32(escapes)) {
    const std::size_t next = _tzcnt_u32(escapes);
    store_block(at, load_block(data + done));
    at = put_escape(data[next], at + (next - done));
    done = next + 1;
  }
  store_block(at, load_block(data + done));
  return at + (bytes - done);
}

template <High high>
LOGFLUME_AVX2 JsonEscapeKernel::Progress escape_avx2(std::string_view text, char* const out) {
  const char* data = text.data();
  std::size_t left = text.size();
  char* at = out;
  alignas(kBlockBytes) std::array<char, 3 * kBlockBytes> tail;
  bool in_tail = false;
  while (left != 0) {
    if (left < 2 * kBlockBytes && !in_tail) {
      // The last blocks are done in a copy, so that nothing behind the text is read.
      tail.fill(' ');
      std::memcpy(tail.data(), data, left);
      data = tail.data();
      in_tail = true;
    }
    const __m256i block = load_block(data);
    const std::uint32_t special = special_bytes<high>(block);
    if (special == 0) {  // what is behind the text is plain too
      store_block(at, block);
      const std::size_t bytes = std::min(left, kBlockBytes);
      at += bytes;
      data += bytes;
      left -= bytes;
      continue;
    }
    const std::uint32_t stops = high == High::kStop ? bits_of(block) : 0;
    const std::size_t bytes = std::min<std::size_t>(left, stops != 0 ? _tzcnt_u32(stops) : kBlockBytes);
    const auto escapes = static_cast<std::uint32_t>(special & ((std::uint64_t{1} << bytes) - 1));
    at = put_block(data, bytes, escapes, at);
    data += bytes;
    left -= bytes;
    if (stops != 0) break;
  }
  return {text.size() - left, static_cast<std::size_t>(at - out)};
}

#endif

const JsonEscapeKernel& best_kernel() {
  static const JsonEscapeKernel& best =
      *std::ranges::find_if(json_escape_kernels(), &JsonEscapeKernel::supported);
  return best;
}

struct Sequence {
  std::size_t bytes;
  bool valid;
};

// The sequence that `text` starts with; when it is ill-formed, its maximal subpart (Unicode 15, section 3.9,
// table 3-7; what WHATWG decoders replace by one U+FFFD). REQUIRES: text starts with a byte >= 0x80.
Sequence leading_sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
  if (length == 0) return {1, false};
  // The second byte's range shuts out overlong forms, surrogates and what is beyond U+10FFFF.
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (text.size() < 2 || byte(1) < low || byte(1) > high) return {1, false};
  for (std::size_t i = 2; i < length; ++i) {
    if (i == text.size() || (byte(i) & 0xC0) != 0x80) return {i, false};
  }
  return {length, true};
}

// Takes what is appended to it and keeps its length.
struct Length {
  std::size_t bytes = 0;
  void append(const char*, std::size_t count) { bytes += count; }
  void append(std::string_view text) { bytes += text.size(); }
  void append(std::string_view, std::size_t, std::size_t count) { bytes += count; }
};

// Appends the run of bytes >= 0x80 that `text` starts with, repaired; returns how many bytes it had.
template <typename Out>
std::size_t append_repaired(std::string_view text, Out& out) {
  std::size_t good_from = 0;
  std::size_t i = 0;
  while (i < text.size() && static_cast<unsigned char>(text[i]) >= 0x80) {
    const Sequence sequence = leading_sequence(text.substr(i));
    if (!sequence.valid) {
      out.append(text, good_from, i - good_from);
      out.append(kReplacement);
      good_from = i + sequence.bytes;
    }
    i += sequence.bytes;
  }
  out.append(text, good_from, i - good_from);
  return i;
}

template <typename Out>
void append_escaped(std::string_view text, Out& out) {
  // Escaped into a buffer that stays in the L1 cache and appended from there: much cheaper than an append for
  // every run between two escapes, of which a line that is JSON itself has dozens.
  constexpr std::size_t kChunkBytes = 512;
  std::array<char, kChunkBytes * JsonEscapeKernel::kExpansionMax + JsonEscapeKernel::kSlackBytes> buffer;
  const JsonEscapeKernel& kernel = best_kernel();
  // ASCII needs no UTF-8 check; other text is validated once, and only if it fails goes the slow way.
  enum class Utf8 { kUnknown, kValid, kInvalid } utf8 = Utf8::kUnknown;
  while (!text.empty()) {
    const std::string_view chunk = text.substr(0, kChunkBytes);
    const JsonEscapeKernel::Progress progress = utf8 == Utf8::kValid
                                                    ? kernel.escape_all(chunk, buffer.data())
                                                    : kernel.escape_ascii(chunk, buffer.data());
    out.append(buffer.data(), progress.written);
    text.remove_prefix(progress.read);
    if (progress.read == chunk.size()) continue;
    if (utf8 == Utf8::kUnknown) {
      utf8 = simdjson::validate_utf8(text.data(), text.size()) ? Utf8::kValid : Utf8::kInvalid;
    }
    if (utf8 == Utf8::kInvalid) text.remove_prefix(append_repaired(text, out));
  }
}

}  // namespace

std::span<const JsonEscapeKernel> json_escape_kernels() {
  static const std::array kernels {
#if defined(__x86_64__)
    JsonEscapeKernel{"avx2",
                     (__builtin_cpu_init(), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")),
                     escape_avx2<High::kStop>, escape_avx2<High::kPass>},
#endif
        JsonEscapeKernel{"portable", true, escape_portable<High::kStop>, escape_portable<High::kPass>},
  };
  return kernels;
}

void append_json_escaped(std::string_view text, std::string& out) { append_escaped(text, out); }

std::size_t json_escaped_bytes(std::string_view text) {
  Length length;
  append_escaped(text, length);
  return length.bytes;
}

}  // namespace logflume
