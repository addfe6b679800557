// Goal: the framer gives the events of the whole text, whatever the text, the growth of the file and the size
// of the reads. Input: options in six bytes (start pattern or not, max_line_bytes, size of the reads, room,
// steps), then the text.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "check.h"
#include "source/line_reader_model.h"

using namespace logflume;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 6) return 0;
  static MemoryBudget budget{64 * 1024 * 1024};
  static SlabPool slabs{budget};
  static const std::unique_ptr<BlockReader> blocks = make_pread_reader();
  const auto make_start = [&]() -> std::optional<StartPattern> {
    if (data[0] % 2 == 0) return {};
    return std::move(*StartPattern::compile("^#"));
  };
  const std::size_t max_bytes = 1 + data[1] % 64;
  const std::size_t bytes_max = 1 + data[2] * std::size_t{data[3]};
  const int pieces_max = 1 + data[4] % 4;
  const std::size_t step = 1 + data[5];
  const std::string_view text(reinterpret_cast<const char*>(data) + 6, size - 6);

  LineReader reader(*blocks, slabs, max_bytes, make_start());
  ModelFile log;
  ModelSink out;
  for (std::string_view rest = text; !rest.empty();) {
    log.append(rest.substr(0, step));
    rest.remove_prefix(std::min(step, rest.size()));
    FUZZ_CHECK(read_to_end(reader, log, out, bytes_max, pieces_max, rest.empty()).status == ReadStatus::kEnd);
  }
  std::optional<StartPattern> start = make_start();
  FUZZ_CHECK(out.intact && out.position == text.size());
  FUZZ_CHECK(out.events == model_events(text, max_bytes, start ? &*start : nullptr));
  return 0;
}
