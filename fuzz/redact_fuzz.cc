// Goal: the detectors find what their model finds, with every kernel of the prefilter, and read nothing
// outside; what is written over them has the rest of the text as it was. Input: one byte of options, then the
// text.
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "redact/checks.h"
#include "redact/model_for_test.h"
#include "redact/redactor.h"

using namespace logflume;

namespace {

constexpr std::size_t kTextBytesMax = 512;  // the model costs the square

Redactor redactor_of(unsigned options) {
  RedactorConfig config;
  for (std::size_t i = 0; i < kDetectors; ++i) config.detect.push_back(static_cast<Detector>(i));
  config.patterns = {{"own", "x(?<redact>[^y]*)y|z*"}};
  config.action = static_cast<RedactAction>(options % 3);
  config.replacement = "\n";
  config.hash_key = "0123456789abcdef";
  return std::move(*Redactor::compile(config));
}

void check_rewriting(std::string_view text, bool lines, unsigned options) {
  static const Redactor redactors[] = {redactor_of(0), redactor_of(1), redactor_of(2)};
  const Redactor& redactor = redactors[options % 3];
  RedactScratch scratch;
  std::vector<Finding> found;
  const bool any = lines ? redactor.find_in_lines(text, found, scratch) : redactor.find(text, found, scratch);
  FUZZ_CHECK(any == !found.empty());
  std::string out = "<";
  redactor.rewrite(text, found, out, scratch);
  // What stands between findings is there, in its order.
  std::size_t at = 0, place = 1;
  std::uint64_t count = 0;
  for (const Finding& finding : found) {
    FUZZ_CHECK(finding.begin >= at && finding.end > finding.begin && finding.end <= text.size());
    if (lines) FUZZ_CHECK(text.substr(finding.begin, finding.end - finding.begin).find('\n') == text.npos);
    const std::string_view kept = text.substr(at, finding.begin - at);
    place = out.find(kept, place);
    FUZZ_CHECK(place != std::string::npos);
    place += kept.size();
    at = finding.end;
  }
  for (const std::uint64_t one : scratch.redacted) count += one;
  FUZZ_CHECK(count == found.size());
  FUZZ_CHECK(std::string_view(out).substr(place).ends_with(text.substr(at)));
  std::string again = "<";
  RedactScratch other;
  if (!lines && redactor.redact(text, again, other)) FUZZ_CHECK(again == out);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const unsigned options = data[0];
  const bool lines = options >= 128;
  size = std::min(size - 1, kTextBytesMax);
  // Exactly as long as needed, so that AddressSanitizer sees a byte too many.
  const auto buffer = std::make_unique<char[]>(size);
  std::copy(data + 1, data + 1 + size, buffer.get());
  const std::string_view text(buffer.get(), size);

  static redact::Model model;
  const std::vector<Finding> expected = model.find(text, lines);
  for (const redact::PrefilterKernel& kernel : redact::prefilter_kernels()) {
    if (!kernel.supported) continue;
    std::vector<Finding> found;
    redact::find_all(text, lines, (1U << kDetectors) - 1, found, kernel);
    redact::settle(found);
    FUZZ_CHECK(std::ranges::equal(found, expected, [](const Finding& a, const Finding& b) {
      return a.begin == b.begin && a.end == b.end && a.detector == b.detector;
    }));
  }
  check_rewriting(text, lines, options);
  return 0;
}
