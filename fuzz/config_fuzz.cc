// Goal: no configuration crashes or hangs the loader; what loads can be written and loads again as the same;
// what is
//       said about it can be shown.
#include <cstdint>
#include <string>

#include "check.h"
#include "config/load.h"

using namespace logflume;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Environment environment({{"HOME", "/home/x"}, {"EMPTY", ""}, {"YAML", "{a: [b"}});
  const LoadOptions options{.check_paths = false};
  const LoadedConfig first = load_config_texts(
      {{"fuzz.yaml", std::string(reinterpret_cast<const char*>(data), size)}}, environment, options);
  FUZZ_CHECK(first.config.has_value() == !has_errors(first.diagnostics));
  FUZZ_CHECK(first.diagnostics.size() <= 101);
  FUZZ_CHECK(render(first.diagnostics, true).find('\0') == std::string::npos);
  if (!first.config) return 0;
  const std::string yaml = to_yaml(*first.config);
  const LoadedConfig second = load_config_texts({{"again.yaml", yaml}}, environment, options);
  FUZZ_CHECK(second.config.has_value());
  FUZZ_CHECK(to_yaml(*second.config) == yaml);
  return 0;
}
