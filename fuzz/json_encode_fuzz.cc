// Goal: whatever a log holds, each encoded line is one valid JSON object with exactly the fields asked for,
// and its message is the event's text as the obvious decoder sees it. Input: one byte of options, one for
// where the path ends, the path, then the text of a batch.
#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "sink/encode.h"
#include "sink/json_escape.h"
#include "sink/naive_json.h"

using namespace logflume;

namespace {

std::vector<std::string> naive_events(const Batch& batch) {
  std::vector<std::string> events;
  std::string_view text = batch.text();
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const bool cut = newline == std::string_view::npos && batch.truncated;
    std::string_view event = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    if (batch.strip_cr && !cut && event.ends_with('\r')) event.remove_suffix(1);
    events.emplace_back(event);
  }
  return events;
}

void check_kernels(std::string_view text) {
  std::string expected;
  for (const char c : text)
    expected += static_cast<unsigned char>(c) < 0x80 ? naive::escaped({&c, 1}) : std::string(1, c);
  const auto out =
      std::make_unique<char[]>(JsonEscapeKernel::kExpansionMax * text.size() + JsonEscapeKernel::kSlackBytes);
  for (const JsonEscapeKernel& kernel : json_escape_kernels()) {
    if (!kernel.supported) continue;
    const JsonEscapeKernel::Progress all = kernel.escape_all(text, out.get());
    FUZZ_CHECK(all.read == text.size());
    FUZZ_CHECK(std::string_view(out.get(), all.written) == expected);
    const JsonEscapeKernel::Progress ascii = kernel.escape_ascii(text, out.get());
    FUZZ_CHECK(expected.starts_with(std::string_view(out.get(), ascii.written)));
    FUZZ_CHECK(ascii.read == text.size() || static_cast<unsigned char>(text[ascii.read]) >= 0x80);
    FUZZ_CHECK(std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(ascii.read),
                           [](char c) { return static_cast<unsigned char>(c) < 0x80; }));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const unsigned options = data[0];
  const std::size_t path_bytes = std::min<std::size_t>(data[1], size - 2);
  const std::string path(reinterpret_cast<const char*>(data) + 2, path_bytes);
  // Exactly as long as needed, so that AddressSanitizer sees a byte too many.
  const std::size_t bytes = size - 2 - path_bytes;
  const auto text = std::make_unique<char[]>(bytes);
  std::copy(data + 2 + path_bytes, data + size, text.get());

  Batch batch;
  batch.data = text.get();
  batch.bytes = bytes;
  batch.unterminated = bytes != 0 && text[bytes - 1] != '\n';
  batch.strip_cr = (options & 1) != 0;
  batch.truncated = (options & 2) != 0;
  batch.origin = std::make_shared<Origin>(Origin{"app", path, 1});
  batch.wall_ns = 1'767'323'045'678'901'234;
  const std::vector<std::string> events = naive_events(batch);
  batch.events = static_cast<std::uint32_t>(events.size());
  check_kernels(batch.text());

  SinkConfig raw_config;
  raw_config.encoding = Encoding::kRaw;
  BatchEncoder raw(raw_config, "host");
  std::string out;
  raw.append(batch, out);
  std::string expected;
  for (const std::string& event : events) expected += event + '\n';
  FUZZ_CHECK(out == expected);

  SinkConfig json_config;
  json_config.labels = {{path, path}};
  BatchEncoder json(json_config, "host");
  out.clear();
  json.append(batch, out);
  static simdjson::dom::parser parser;
  std::string_view rest = out;
  const std::string label = naive::repaired(path);
  for (const std::string& event : events) {
    const std::size_t newline = rest.find('\n');
    FUZZ_CHECK(newline != std::string_view::npos);
    simdjson::dom::object object;
    FUZZ_CHECK(parser.parse(rest.data(), newline).get(object) == simdjson::SUCCESS);
    rest.remove_prefix(newline + 1);
    const auto field = [&](std::string_view name) {
      std::string_view value;
      FUZZ_CHECK(object.at_key(name).get(value) == simdjson::SUCCESS);
      return value;
    };
    FUZZ_CHECK(field("message") == naive::repaired(event));
    if (path != "file") FUZZ_CHECK(field("file") == naive::repaired(path));
    if (path != "message") FUZZ_CHECK(field(label) == label);
  }
  FUZZ_CHECK(rest.empty());
  return 0;
}
