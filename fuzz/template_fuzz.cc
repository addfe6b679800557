// Goal: no template text crashes the parser, and no value, however hostile, moves a path to another
// directory. Input: parts separated by 0xFF: template, path of the file, host, source, a label's value, which
// is that of each field of events too.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "check.h"
#include "sink/template.h"

using namespace logflume;

namespace {

std::vector<std::string_view> components(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0;;) {
    const std::size_t slash = path.find('/', begin);
    parts.push_back(path.substr(begin, slash - begin));
    if (slash == std::string_view::npos) return parts;
    begin = slash + 1;
  }
}

std::string render(const Template& parsed, std::string path, std::string source, std::string_view host,
                   const std::string& value) {
  Batch batch;
  batch.origin = std::make_shared<Origin>(Origin{std::move(source), std::move(path), 1});
  batch.wall_ns = 1'767'323'045'678'901'234;
  std::string out;
  const Template::Values values(parsed.fields().size(), value);
  parsed.render(batch, host, true, out, values);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  std::array<std::string, 5> parts;
  for (std::string& part : parts) {
    const std::size_t end = std::min(input.find('\xff'), input.size());
    part = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
  }
  const auto& [text, path, host, source, label] = parts;

  const Result<Template> hostile = Template::parse(text, {{"label", label}}, true);
  const Result<Template> harmless = Template::parse(text, {{"label", "x"}}, true);
  FUZZ_CHECK(hostile.has_value() == harmless.has_value());  // values are not parsed
  if (!hostile) {
    FUZZ_CHECK(!hostile.error().message.empty());
    (void)Template::parse(text, {}, false);
    return 0;
  }
  // The same template with values that are one letter has the directories that its author meant.
  const std::string actual = render(*hostile, path, source, host, label);
  const std::string meant = render(*harmless, "x", "x", "x", "x");
  const auto actual_parts = components(actual);
  const auto meant_parts = components(meant);
  FUZZ_CHECK(actual_parts.size() == meant_parts.size());
  for (std::size_t i = 0; i < actual_parts.size(); ++i) {
    const bool dots = actual_parts[i] == "." || actual_parts[i] == "..";
    // Only what the template's own text says may be "", "." or "..".
    FUZZ_CHECK((!dots && !actual_parts[i].empty()) || actual_parts[i] == meant_parts[i]);
  }
  const auto nuls = [](std::string_view s) { return std::count(s.begin(), s.end(), '\0'); };
  FUZZ_CHECK(nuls(actual) == nuls(meant));
  return 0;
}
