// Goal: whatever bytes claim to be a record of the audit's journal, decoding ends, gives as many notes as the
// record counts, and what was decoded is encoded and decoded to the same again. Input: a byte that says what
// the rest is, batches or names; two bytes, how many the record counts; the payload.
#include <cstdint>
#include <string>
#include <string_view>

#include "check.h"
#include "checkpoint/audit_record.h"

using namespace logflume;

namespace {

void check_batches(std::string_view payload, std::uint32_t count) {
  const auto decoded = decode_batch_notes(payload, count);
  if (!decoded) return;
  FUZZ_CHECK(decoded->notes.size() == count);
  std::string again;
  encode_batch_notes(decoded->stage, decoded->component, decoded->notes, again);
  const auto twice = decode_batch_notes(again, count);
  FUZZ_CHECK(twice.has_value() && twice->stage == decoded->stage && twice->component == decoded->component);
  for (std::size_t i = 0; i < count; ++i) {
    const BatchNote& a = decoded->notes[i];
    const BatchNote& b = twice->notes[i];
    FUZZ_CHECK(a.range.begin <= a.range.end);
    FUZZ_CHECK(a.batch == b.batch && a.file_id == b.file_id && a.range.begin == b.range.begin &&
               a.range.end == b.range.end && a.at_ns == b.at_ns && a.events == b.events);
  }
}

void check_names(std::string_view payload, std::uint32_t count) {
  const auto decoded = decode_name_notes(payload, count);
  if (!decoded) return;
  FUZZ_CHECK(decoded->size() == count);
  std::string again;
  encode_name_notes(*decoded, again);
  const auto twice = decode_name_notes(again, count);
  FUZZ_CHECK(twice.has_value());
  for (std::size_t i = 0; i < count; ++i) {
    const NameNote& a = (*decoded)[i];
    const NameNote& b = (*twice)[i];
    FUZZ_CHECK(a.file_id == b.file_id && a.path == b.path && a.until_ns == b.until_ns);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const std::string_view payload(reinterpret_cast<const char*>(data) + 3, size - 3);
  const auto count = static_cast<std::uint32_t>(data[1] | data[2] << 8);
  if (data[0] % 2 == 0) {
    check_batches(payload, count);
  } else {
    check_names(payload, count);
  }
  return 0;
}
