#include "checkpoint/audit_record.h"

#include <limits>

namespace logflume {
namespace {

constexpr char kBatchesVersion = 1;
constexpr char kNamesVersion = 1;
constexpr std::size_t kVarintBytesMax = 10;
constexpr std::size_t kNoteNumbers = 6;  // of a batch
constexpr std::int64_t kNsPerUs = 1000;

// Returns where the next goes. REQUIRES: room for kVarintBytesMax.
char* put(char* at, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<char>(value | 0x80);
  *at++ = static_cast<char>(value);
  return at;
}
void put(std::string& out, std::uint64_t value) {
  char bytes[kVarintBytesMax];
  out.append(bytes, static_cast<std::size_t>(put(bytes, value) - bytes));
}

// What is small in either direction takes few bytes. Differences may wrap around.
std::uint64_t folded(std::uint64_t difference) {
  const auto sign = static_cast<std::uint64_t>(static_cast<std::int64_t>(difference) >> 63);
  return (difference << 1) ^ sign;
}
std::uint64_t unfolded(std::uint64_t value) { return (value >> 1) ^ (~(value & 1) + 1); }

std::uint64_t us_of(std::int64_t ns) { return static_cast<std::uint64_t>(ns / kNsPerUs); }

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  bool ok() const { return ok_; }
  std::size_t left() const { return rest_.size(); }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; !rest_.empty() && shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) break;
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view bytes() {
    const std::uint64_t size = number();
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }
  char byte() {
    if (rest_.empty()) {
      ok_ = false;
      return 0;
    }
    const char out = rest_.front();
    rest_.remove_prefix(1);
    return out;
  }
  // Whole microseconds as nanoseconds. Beyond what those can hold: damage.
  std::int64_t time(std::uint64_t us) {
    const auto value = static_cast<std::int64_t>(us);
    constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max() / kNsPerUs;
    if (value > kMax || value < -kMax) {
      ok_ = false;
      return 0;
    }
    return value * kNsPerUs;
  }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace

void encode_batch_notes(BatchStage stage, std::string_view component, std::span<const BatchNote> notes,
                        std::string& out) {
  out.push_back(kBatchesVersion);
  out.push_back(static_cast<char>(stage));
  put(out, component.size());
  out.append(component);
  // Some notes at a time: this is most of what the journal costs.
  char bytes[64 * kNoteNumbers * kVarintBytesMax];
  char* const full = bytes + sizeof bytes - kNoteNumbers * kVarintBytesMax;
  char* at = bytes;
  std::uint64_t batch = 0;
  std::uint64_t file_id = 0;
  std::uint64_t end = 0;
  std::uint64_t us = 0;
  for (const BatchNote& note : notes) {
    if (at > full) {
      out.append(bytes, static_cast<std::size_t>(at - bytes));
      at = bytes;
    }
    const std::uint64_t note_us = us_of(note.at_ns);
    at = put(at, folded(note.batch - batch));
    at = put(at, folded(note.file_id - file_id));
    at = put(at, folded(note.range.begin - end));
    at = put(at, note.range.bytes());
    at = put(at, folded(note_us - us));
    at = put(at, note.events);
    batch = note.batch;
    file_id = note.file_id;
    end = note.range.end;
    us = note_us;
  }
  out.append(bytes, static_cast<std::size_t>(at - bytes));
}

std::optional<BatchNotes> decode_batch_notes(std::string_view payload, std::uint32_t count) {
  Reader reader(payload);
  BatchNotes decoded;
  if (reader.byte() != kBatchesVersion) return std::nullopt;
  const auto stage = static_cast<std::uint8_t>(reader.byte());
  if (stage < 1 || stage > static_cast<std::uint8_t>(kBatchStageMax)) return std::nullopt;
  decoded.stage = static_cast<BatchStage>(stage);
  decoded.component = reader.bytes();
  if (!reader.ok() || count > reader.left() / kNoteNumbers) return std::nullopt;
  decoded.notes.reserve(count);
  BatchNote note;
  std::uint64_t us = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    note.batch += unfolded(reader.number());
    note.file_id += unfolded(reader.number());
    note.range.begin = note.range.end + unfolded(reader.number());
    const std::uint64_t bytes = reader.number();
    us += unfolded(reader.number());
    note.at_ns = reader.time(us);
    const std::uint64_t events = reader.number();
    if (!reader.ok() || note.range.begin > UINT64_MAX - bytes || events > UINT32_MAX) return std::nullopt;
    note.range.end = note.range.begin + bytes;
    note.events = static_cast<std::uint32_t>(events);
    decoded.notes.push_back(note);
  }
  if (reader.left() != 0) return std::nullopt;
  return decoded;
}

void encode_name_notes(std::span<const NameNote> notes, std::string& out) {
  out.push_back(kNamesVersion);
  for (const NameNote& note : notes) {
    put(out, note.file_id);
    put(out, folded(us_of(note.until_ns)));
    put(out, note.path.size());
    out.append(note.path);
  }
}

std::optional<std::vector<NameNote>> decode_name_notes(std::string_view payload, std::uint32_t count) {
  Reader reader(payload);
  if (reader.byte() != kNamesVersion || count > reader.left() / 3) return std::nullopt;
  std::vector<NameNote> notes;
  notes.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    NameNote note;
    note.file_id = reader.number();
    note.until_ns = reader.time(unfolded(reader.number()));
    note.path = reader.bytes();
    if (!reader.ok()) return std::nullopt;
    notes.push_back(std::move(note));
  }
  if (reader.left() != 0) return std::nullopt;
  return notes;
}

}  // namespace logflume
