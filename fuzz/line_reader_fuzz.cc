// Goal: the framer gives the events of the whole text, whatever the text, the rules, the growth of the file
// and the size of the reads. Input: options in six bytes (rules, limits and max_line_bytes, size of the
// reads, room and what the lines are inside of, steps), then the text.
#include <algorithm>
#include <cstdint>

#include "check.h"
#include "source/line_reader_model.h"

using namespace logflume;

namespace {

MultilineConfig rules_by(std::uint8_t kind, std::uint8_t limit, std::uint8_t inside) {
  MultilineConfig config;
  if (kind & 1) config.start_pattern = "^#";
  if (kind & 2) config.continue_pattern = R"(^[ \t]|^a+b)";
  if (kind & 4) config.end_pattern = ";$";
  if (kind & 8) {
    config = {};
    config.preset =
        static_cast<MultilinePreset>(1 + kind % 8 + (kind & 0x80 ? 1 : 0) + (kind & 0x40 ? 1 : 0));
  }
  config.inside = static_cast<MultilineInside>(inside % 3);
  if (!config.enabled()) return config;
  if (kind & 0x10) config.max_lines = 1 + limit % 7;
  if (kind & 0x20) config.max_bytes = 1 + limit % 90;
  return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 6) return 0;
  static MemoryBudget budget{64 * 1024 * 1024};
  static SlabPool slabs{budget};
  static const std::unique_ptr<BlockReader> blocks = make_pread_reader();
  const MultilineConfig rules = rules_by(data[0], data[1], data[4] / 4);
  const std::size_t max_bytes = 1 + data[1] % 64;
  const std::size_t bytes_max = 1 + data[2] * std::size_t{data[3]};
  const int pieces_max = 1 + data[4] % 4;
  const std::size_t step = 1 + data[5];
  const std::string_view text(reinterpret_cast<const char*>(data) + 6, size - 6);

  LineReader reader(*blocks, slabs, max_bytes, rules_of(rules));
  ModelFile log;
  ModelSink out;
  for (std::string_view rest = text; !rest.empty();) {
    log.append(rest.substr(0, step));
    rest.remove_prefix(std::min(step, rest.size()));
    FUZZ_CHECK(read_to_end(reader, log, out, bytes_max, pieces_max, rest.empty()).status == ReadStatus::kEnd);
  }
  FUZZ_CHECK(out.intact && out.position == text.size());
  FUZZ_CHECK(out.events == model_events(text, max_bytes, rules));
  return 0;
}
